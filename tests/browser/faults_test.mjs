// What goes wrong: keys, overload, a server that goes away; and duplicates and facets, which the samples do not have. Against
// the stand-in, which can be told to.
import { test } from "node:test";
import assert from "node:assert/strict";
import { ask, done, open, ROOT, settled, summary, titles } from "./harness.mjs";
import { sample_items, start_stand_in } from "./stand_in.mjs";

const REFUSED = [/Failed to load resource/];

export function faults_tests({ browser }) {
  test("a key is asked for, kept in the tab, and used for pictures too", async (t) => {
    const server = await start_stand_in({ root: ROOT, faults: { key: "secret" } });
    t.after(() => server.stop());
    const page = await open(browser(), server.url, { expected: REFUSED });
    await page.fill("#api-key", "wrong");
    await page.keyboard.press("Enter");
    await page.getByText("did not accept that key").waitFor();
    await page.fill("#api-key", "secret");
    await page.keyboard.press("Enter");
    await settled(page);
    await page.waitForFunction(() => document.querySelector(".tile img")?.naturalWidth > 0);
    assert.match(await page.locator(".tile img").first().getAttribute("src"), /^blob:/);
    await page.reload();
    await settled(page);
    assert.equal(await page.locator("#api-key").count(), 0);
    await done(page);
  });

  test("an overloaded server is asked again after the time it gives", async (t) => {
    const server = await start_stand_in({ root: ROOT });
    t.after(() => server.stop());
    const page = await open(browser(), server.url, { expected: REFUSED });
    await settled(page);
    Object.assign(server.faults, { status: 429, retry_after: 2 });
    await page.click("#query");
    await page.keyboard.type("cat");
    await page.getByText("The server is busy. Trying again in 2 s.").waitFor();
    assert.ok(await page.locator(".tile").count() > 0, "what was there stays");
    delete server.faults.status;
    await page.locator(".banner").waitFor({ state: "hidden" });
    assert.match((await titles(page, 1))[0], /cat/);
    Object.assign(server.faults, { status: 503, type: "draining" });
    await page.keyboard.type("s");
    await page.getByText("The server is shutting down.").waitFor();
    await done(page);
  });

  test("a server that is gone is noticed, and found again", async (t) => {
    const server = await start_stand_in({ root: ROOT });
    t.after(() => server.stop());
    const page = await open(browser(), server.url, { expected: REFUSED });
    await settled(page);
    const port = Number(new URL(server.url).port);
    await server.stop();
    await page.click("#query");
    await page.keyboard.type("cat");
    await page.getByText("The server does not answer.").waitFor();
    const again = await start_stand_in({ root: ROOT, port });
    t.after(() => again.stop());
    await page.locator(".banner").waitFor({ state: "hidden" });
    assert.match((await titles(page, 1))[0], /cat/);
    await page.context().setOffline(true);
    await page.keyboard.type("s");
    await page.getByText("You are offline.").waitFor();
    await page.context().setOffline(false);
    await page.locator(".banner").waitFor({ state: "hidden" });
    await done(page);
  });

  test("near-duplicates are counted on their tile, shown and hidden", async (t) => {
    const items = sample_items(ROOT);
    const server = await start_stand_in({ root: ROOT, items, twins: { 1: [2, 3] } });
    t.after(() => server.stop());
    const page = await open(browser(), `${server.url}#q=admission`);
    await settled(page);
    const stack = page.locator(".tile .stack").first();
    assert.equal(await stack.textContent(), "+2");
    const before = await page.locator(".tile").count();
    await stack.click();
    await page.locator(".tile.twin").nth(1).waitFor();
    assert.equal(await page.locator(".tile").count(), before + 2);
    await stack.click();
    assert.equal(await page.locator(".tile").count(), before);
    await done(page);
  });

  test("facets count metadata and narrow by it", async (t) => {
    const server = await start_stand_in({ root: ROOT });
    t.after(() => server.stop());
    const page = await open(browser(), `${server.url}#q=face&panel=1`);
    await settled(page);
    const facet = page.locator("#filters label", { hasText: "twemoji" });
    await facet.waitFor();
    const number = Number(await facet.locator(".count").textContent());
    await facet.locator("input").check();
    await page.idle();
    assert.equal(await summary(page), `${number} relevant of 400`);
    assert.match(page.url(), /meta=/);
    await done(page);
  });

  test("a missing item and a missing file are said", async (t) => {
    const items = sample_items(ROOT);
    items[0].uri = "assets/samples/gone.png";
    const server = await start_stand_in({ root: ROOT, items });
    t.after(() => server.stop());
    const page = await open(browser(), `${server.url}#item=9999`, { expected: REFUSED });
    await page.getByText("The collection has no item 9999 any more.").waitFor();
    await page.keyboard.press("Escape");
    await page.goto(`${server.url}#item=1`);
    await page.getByText("not there any more").waitFor();
    await done(page);
  });

  test("a hundred thousand items answer each keystroke, and few of them are on the page", async (t) => {
    const few = sample_items(ROOT);
    const items = Array.from({ length: 100_000 }, (_, at) => ({ ...few[at % few.length], id: at + 1 }));
    const server = await start_stand_in({ root: ROOT, items, quick: true });
    t.after(() => server.stop());
    const page = await open(browser(), server.url);
    await settled(page);
    const times = [];
    await page.click("#query");
    for (const letter of "smiling face with") {
      await page.keyboard.type(letter);
      await page.idle();
      times.push(await page.evaluate(() => performance.getEntriesByName("tandem:keystroke").at(-1).duration));
    }
    times.sort((a, b) => a - b);
    const median = times[Math.floor(times.length / 2)];
    console.log(`keystroke to tiles, stand-in: median ${median.toFixed(0)} ms, most ${times.at(-1).toFixed(0)} ms`);
    assert.equal(times.length, "smiling face with".length);
    const tiles = await page.locator(".tile").count();
    assert.ok(tiles > 0 && tiles < 1000, `${tiles} tiles`);
    await done(page);
  });
}
