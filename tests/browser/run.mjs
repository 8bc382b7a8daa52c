// The page in a real Chromium. Run from the repository root, after make setup:
//   node tests/browser/run.mjs --bin build/release/bin            against `tandem serve` on the samples
//   node tests/browser/run.mjs --bin build/release/bin --web      the same with the page as web/ has it now
//   node tests/browser/run.mjs --stand-in                         against the stand-in alone, while the page is being written
// node --test-name-pattern=WORD tests/browser/run.mjs … runs the tests whose names have it.
import { after, before } from "node:test";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { launch, ROOT, run, serve, temporary } from "./harness.mjs";
import { start_stand_in } from "./stand_in.mjs";
import { search_tests } from "./search_test.mjs";
import { FRUIT, results_tests } from "./results_test.mjs";
import { faults_tests } from "./faults_test.mjs";
import { access_tests } from "./access_test.mjs";
import { hostile_tests } from "./hostile_test.mjs";

const argument = (name) => { const at = process.argv.indexOf(name); return at < 0 ? null : process.argv[at + 1] ?? ""; };
const bin = argument("--bin");
const given_url = argument("--url"); // of a server that runs already, on the samples
if (!bin && !given_url) process.env.TANDEM_STAND_IN = "1";

let browser;
let server;
let place;

before(async () => {
  browser = await launch();
  if (given_url) {
    server = { url: given_url, stop: () => {} };
    return;
  }
  if (!bin) {
    server = await start_stand_in({ root: ROOT });
    return;
  }
  place = temporary();
  const tandem = join(bin, "tandem");
  const collection = join(place.folder, "samples.tandem");
  await run(tandem, ["index", "assets/samples", "--captions", "assets/samples/captions.tsv", "--to", collection]);
  const fruit = join(place.folder, "fruit");
  mkdirSync(fruit);
  for (const name of FRUIT) copyFileSync(join(ROOT, "assets/samples", name), join(fruit, name));
  await run(tandem, ["index", fruit, "--to", `${fruit}.tandem`]);
  server = await serve(tandem, [collection, `${fruit}.tandem`]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  place?.remove();
});

const given = { // bin: null where the server is not the real one
  browser: () => browser, url: () => server.url, bin };
search_tests(given);
results_tests(given);
faults_tests(given);
access_tests(given);
hostile_tests(given);
