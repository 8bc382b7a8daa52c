// How long from a keystroke until the first tiles of its answer are laid out, in Chromium, on a collection of many items:
// the samples and texts made of their captions. Previews are not waited for. Run from the repository root, after make setup:
//   node bench/keystrokes.mjs --bin build/release/bin [--items 100000]
//   node bench/keystrokes.mjs --url http://127.0.0.1:8420/          a server that runs already
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { launch, open, ROOT, run, serve, settled, temporary } from "../tests/browser/harness.mjs";

const QUERIES = ["a red vehicle on a road", "smiling face with sunglasses", "two cats and a dog", "fruit on a plate"];
const argument = (name, otherwise) => { const at = process.argv.indexOf(name); return at < 0 ? otherwise : process.argv[at + 1]; };

const place = temporary();
let server = { url: argument("--url"), stop: () => {} };
if (!server.url) {
  const tandem = join(argument("--bin", "build/release/bin"), "tandem");
  const captions = readFileSync(join(ROOT, "assets/samples/captions.tsv"), "utf8").trim().split("\n").slice(1).map((line) => line.split("\t")[1]);
  const texts = Array.from({ length: Number(argument("--items", "100000")) - captions.length }, (_, at) => {
    const first = captions[at % captions.length];
    const second = captions[(at * 7 + Math.floor(at / captions.length)) % captions.length];
    return `${first} and ${second}, number ${at}`;
  });
  writeFileSync(join(place.folder, "texts.txt"), `${texts.join("\n")}\n`);
  const collection = join(place.folder, "many.tandem");
  await run(tandem, ["index", "assets/samples", "--captions", "assets/samples/captions.tsv", "--texts", join(place.folder, "texts.txt"), "--to", collection]);
  server = await serve(tandem, [collection]);
}

const browser = await launch();
const page = await open(browser, server.url);
await settled(page);
const times = [];
const took = [];
page.on("response", async (response) => {
  if (response.url().endsWith("/v1/search") && response.ok()) took.push((await response.json().catch(() => ({}))).took_ms ?? 0);
});
for (const query of QUERIES) {
  await page.fill("#query", "");
  await page.idle();
  await page.focus("#query");
  for (const letter of query) {
    const before = await page.evaluate(() => performance.getEntriesByName("tandem:keystroke").at(-1)?.startTime ?? 0);
    await page.keyboard.type(letter);
    if (letter === " ") continue; // asks nothing new
    await page.waitForFunction((last) => (performance.getEntriesByName("tandem:keystroke").at(-1)?.startTime ?? 0) > last, before);
    times.push(await page.evaluate(() => performance.getEntriesByName("tandem:keystroke").at(-1).duration));
  }
}
const of = (list, share) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))].toFixed(0);
console.log(`keystroke to tiles, ${times.length} keystrokes: p50 ${of(times, 0.5)} ms, p90 ${of(times, 0.9)} ms, most ${of(times, 1)} ms; of which the server p50 ${of(took, 0.5)} ms, p90 ${of(took, 0.9)} ms`);
await browser.close();
await server.stop();
place.remove();
