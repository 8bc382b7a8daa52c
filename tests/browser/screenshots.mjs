// Makes docs/page-*.png: the page on the samples. Run from the repository root, where pngquant is installed:
//   node tests/browser/screenshots.mjs --bin build/release/bin
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { done, launch, open, ROOT, run, serve, settled, temporary } from "./harness.mjs";

const bin = process.argv[process.argv.indexOf("--bin") + 1];
const MOST_BYTES = 300_000;

const place = temporary();
const tandem = join(bin, "tandem");
const collection = join(place.folder, "samples.tandem");
await run(tandem, ["index", "assets/samples", "--captions", "assets/samples/captions.tsv", "--to", collection]);
await run(tandem, ["search", collection, "--calibrate"]);
const server = await serve(tandem, [collection]);
const browser = await launch();
const find = async (caption) => {
  const answer = await fetch(`${server.url}v1/items?limit=1000`);
  return (await answer.json()).items.find((item) => item.caption === caption).id;
};

async function shot(name, fragment, options, before = async () => {}) {
  const page = await open(browser, server.url + fragment, options);
  await settled(page);
  await page.idle();
  await before(page);
  await page.idle();
  await page.waitForTimeout(400); // transitions
  const file = join(ROOT, "docs", `page-${name}.png`);
  await page.screenshot({ path: file });
  await done(page);
  execFileSync("pngquant", ["--force", "--output", file, "--speed", "1", "--strip", "128", file]);
  const { size } = statSync(file);
  console.log(`${file}: ${size.toLocaleString("en")} bytes`);
  if (size > MOST_BYTES) throw new Error(`${file} is larger than ${MOST_BYTES} bytes`);
}

const wide = { viewport: { width: 1200, height: 750 } };
const phone = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true };
await shot("search", "#q=a+red+vehicle&panel=1", wide, async (page) => { await page.locator(".tile").nth(1).hover(); });
await shot("dark", "#t=1:text:fruit", { ...wide, colorScheme: "dark" }, async (page) => {
  for (const at of [1, 2, 5]) await page.locator(".tile .pick").nth(at).click({ force: true });
});
await shot("detail", `#q=vehicle&item=${await find("ambulance")}`, wide);
await shot("part", `#q=vehicle&item=${await find("ambulance")}`, wide, async (page) => { await page.click(".crop-button"); });
await shot("classify", `#tab=classify&of=${await find("fire engine")}.${await find("cat")}.${await find("lemon")}&label=animal&label=vehicle&label=fruit&label=building`, wide);
await shot("phone", "#q=vehicle", phone);
await browser.close();
await server.stop();
place.remove();
