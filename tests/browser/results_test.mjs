// What is done with results: filters, relevance, order, scrolling, keyboard, selection, links.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ask, done, open, settled, summary, titles } from "./harness.mjs";

export const FRUIT = ["fxemoji-lemon.png", "fxemoji-red-apple.png", "twemoji-green-apple.png"];

export function results_tests({ browser, url, bin }) {
  if (bin) {
    test("another collection is another place: its items, not the tiles of equal numbers", async () => {
      const page = await open(browser(), `${url()}#q=apple&least=all`);
      await settled(page);
      await page.selectOption("#collection", "fruit");
      await page.idle();
      assert.equal(await page.locator(".tile").count(), 3);
      assert.deepEqual((await titles(page, 3)).sort(), FRUIT);
      assert.match(await summary(page), / of 3/);
      assert.match(page.url(), /c=fruit/);
      await page.locator(".tile .open").first().press("Enter");
      await page.locator("dialog.detail .neighbours img").nth(1).waitFor();
      await page.goBack();
      await page.goBack();
      await page.idle();
      assert.ok(await page.locator(".tile").count() > 3);
      await done(page);
    });
  }

  test("the relevance slider starts at the cut-off and shows more when moved", async () => {
    const page = await open(browser(), `${url()}#q=cat`);
    await settled(page);
    const tiles = () => page.locator(".tile").count();
    const before = await tiles();
    const relevant = Number(/^([\d,]+) relevant/.exec(await summary(page))[1].replaceAll(",", ""));
    assert.ok(before <= relevant);
    await page.focus("#relevance");
    await page.keyboard.press("Home");
    await page.idle();
    await page.locator(".divider").waitFor();
    assert.match(await summary(page), new RegExp(`^${relevant} relevant of 400 · showing`));
    assert.ok(await tiles() > before);
    await page.locator(".reset").click();
    await page.idle();
    assert.equal(await tiles(), before);
    await done(page);
  });

  test("nothing relevant is an answer, and the nearest are a click away", async () => {
    const page = await open(browser(), `${url()}#q=a+cat&least=0.999`);
    await page.getByText("Nothing relevant here").waitFor();
    await page.getByRole("button", { name: "Show the nearest anyway" }).click();
    await page.locator(".tile").first().waitFor();
    await done(page);
  });

  test("filters narrow what is browsed and searched", async () => {
    const page = await open(browser(), url());
    await settled(page);
    await page.getByRole("button", { name: "Filters" }).click();
    await page.locator("#filters").waitFor();
    await page.getByRole("radio", { name: "Texts" }).check();
    await page.getByRole("heading", { name: "Nothing matches the filters" }).waitFor();
    await page.getByRole("button", { name: "Clear filters" }).first().click();
    await page.locator(".tile").first().waitFor();
    await page.selectOption("#size", "large");
    await page.getByRole("heading", { name: "Nothing matches the filters" }).waitFor();
    await page.selectOption("#size", "small");
    await page.locator(".tile").first().waitFor();
    await ask(page, "smiling face");
    await page.fill("#to", "1999-01-01");
    await page.getByText("Nothing relevant here").waitFor();
    assert.equal(await page.locator(".filters-button .badge").textContent(), "2");
    await page.goBack();
    await page.locator(".tile").first().waitFor();
    await done(page);
  });

  test("results come in the order asked for", async () => {
    const page = await open(browser(), `${url()}#q=smiling+face`);
    await settled(page);
    const by_relevance = await titles(page, 200);
    await page.selectOption("#sort", "newest");
    await page.idle();
    const newest = await titles(page, 200);
    await page.selectOption("#sort", "oldest");
    await page.idle();
    assert.deepEqual([...newest].sort(), [...by_relevance].sort());
    assert.notDeepEqual(await titles(page, 200), newest);
    await done(page);
  });

  test("scrolling loads more, and what is there does not move", async () => {
    const page = await open(browser(), url());
    await settled(page);
    const places = () => page.locator(".tile").evaluateAll((tiles) => tiles.slice(0, 20).map((tile) => tile.style.transform + tile.style.width));
    const before = await places();
    for (let step = 0; step < 40 && await page.locator(".tile").count() < 400; ++step) {
      await page.mouse.wheel(0, 3000);
      await page.waitForTimeout(60);
    }
    assert.equal(await page.locator(".tile").count(), 400);
    assert.deepEqual(await places(), before);
    const unique = await page.locator(".tile").evaluateAll((tiles) => new Set(tiles.map((tile) => tile.dataset.id)).size);
    assert.equal(unique, 400);
    await done(page);
  });

  test("tiles fill rows of one width without overlapping, at any width", async () => {
    for (const width of [320, 768, 1280]) {
      const page = await open(browser(), url(), { viewport: { width, height: 800 } });
      await settled(page);
      const { boxes, whole } = await page.evaluate(() => ({ whole: document.querySelector(".grid").clientWidth,
        boxes: [...document.querySelectorAll(".tile")].map((tile) => { const { left, top, right, bottom } = tile.getBoundingClientRect(); return { left, top, right, bottom }; }) }));
      for (let at = 1; at < boxes.length; ++at) {
        const [a, b] = [boxes[at - 1], boxes[at]];
        assert.ok(b.left >= a.right || b.top >= a.bottom, `tile ${at}`);
        if (b.top > a.top + 1) assert.ok(Math.abs(a.right - boxes[0].left - whole) < 1.5, `row before ${at} ends at ${a.right}`);
      }
      await done(page);
    }
  });

  test("the keyboard does everything", async () => {
    const page = await open(browser(), url());
    await settled(page);
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "query");
    await page.keyboard.type("smiling face");
    await page.idle();
    await page.keyboard.press("ArrowDown");
    const at = () => page.evaluate(() => [...document.querySelectorAll(".tile")].indexOf(document.activeElement.closest(".tile")));
    assert.equal(await at(), 0);
    await page.keyboard.press("ArrowRight");
    assert.equal(await at(), 1);
    await page.keyboard.press("ArrowDown");
    const below = await at();
    assert.ok(below > 2);
    await page.keyboard.press("ArrowUp");
    assert.equal(await at(), 1);
    await page.keyboard.press("x");
    assert.equal(await page.locator(".tile.selected").count(), 1);
    await page.keyboard.press("Shift+ArrowRight");
    await page.keyboard.press("Shift+ArrowRight");
    assert.equal(await page.locator(".tile.selected").count(), 3);
    await page.keyboard.press("Enter");
    await page.locator("dialog.detail[open]").waitFor();
    const opened = () => page.locator("#detail-title").textContent();
    const first = await opened();
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction((title) => document.querySelector("#detail-title").textContent !== title, first);
    await page.keyboard.press("Escape");
    await page.locator("dialog.detail").waitFor({ state: "hidden" });
    assert.ok(await at() >= 0, "the focus is back on a tile");
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(".tile.selected").count(), 0);
    await page.keyboard.press("f");
    await page.locator("#filters").waitFor();
    await page.keyboard.press("?");
    await page.getByRole("heading", { name: "Keys and queries" }).waitFor();
    await page.keyboard.press("Escape");
    await done(page);
  });

  test("a selection is exported as CSV and JSON lines, and labelled as a training set", async () => {
    const page = await open(browser(), `${url()}#q=smiling+face`);
    await settled(page);
    for (const at of [0, 2]) {
      await page.locator(".tile").nth(at).hover();
      await page.locator(".tile .pick").nth(at).click();
    }
    const saved = async (name) => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
      return readFileSync(await download.path(), "utf8");
    };
    const lines = (await saved("Export JSONL")).trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(lines.length, 2);
    assert.ok(lines.every((line) => /assets\/samples\/.*\.png$/.test(line.uri) && line.caption && line.score > 0 && typeof line.metadata === "object"));
    const csv = (await saved("Export CSV")).trim().split("\r\n");
    assert.match(csv[0], /^uri,caption,score/);
    assert.equal(csv.length, 3);
    await page.getByRole("button", { name: "Label as a training set" }).click();
    await page.fill("#common-caption", "a round face");
    await page.getByRole("button", { name: "Give to all" }).click();
    const captions = (await saved("Download captions.tsv")).trim().split("\n");
    assert.deepEqual(captions, ["path\tcaption", ...lines.map((line) => `${line.uri}\ta round face`)]);
    await done(page);
  });

  test("a link restores query, terms, filters, relevance, order, opened item and tab", async () => {
    const page = await open(browser(), url());
    await settled(page);
    await page.click("#query");
    await page.keyboard.type("smiling face - cat + smile");
    await page.idle();
    await page.getByRole("button", { name: "Filters" }).click();
    await page.selectOption("#size", "small");
    await page.focus("#relevance");
    await page.keyboard.press("Home");
    await page.selectOption("#sort", "oldest");
    await page.idle();
    await page.locator(".tile .open").nth(3).click();
    await page.locator("dialog.detail[open] .neighbours img").first().waitFor();
    const look = async (on) => ({
      url: on.url(), title: await on.locator("#detail-title").textContent(), chips: await on.locator(".chip .label").allTextContents(), text: await on.inputValue("#query"),
      size: await on.inputValue("#size"), sort: await on.inputValue("#sort"), slider: await on.inputValue("#relevance"), tiles: await titles(on, 20),
      panel: await on.locator("#filters").isVisible(),
    });
    const before = await look(page);
    assert.deepEqual(before.chips, ["smiling face", "cat"]);
    const other = await open(browser(), page.url());
    await other.locator("dialog.detail[open] .neighbours img").first().waitFor();
    assert.deepEqual(await look(other), before);
    await other.keyboard.press("Escape");
    await done(other);
    await page.goBack();
    await page.locator("dialog.detail").waitFor({ state: "hidden" });
    await done(page);
    const classify = await open(browser(), `${url()}#tab=classify&of=3.9&label=cat&label=airplane`);
    await classify.locator(".bars li").nth(3).waitFor();
    assert.equal(await classify.inputValue("#labels"), "cat, airplane");
    await done(classify);
  });

  test("a link carries a small copy of a dropped picture", async () => {
    const page = await open(browser(), url());
    await settled(page);
    await page.setInputFiles(".field input[type=file]", "assets/samples/fxemoji-angry-face.png");
    await page.locator(".chip").waitFor();
    await page.waitForFunction(() => location.hash.includes("picture"));
    assert.ok(page.url().length < 3000, `${page.url().length}`);
    const other = await open(browser(), page.url());
    await settled(other);
    assert.match(await other.locator(".chip").textContent(), /picture from the link/);
    assert.ok(await other.locator(".tile").count() > 0);
    await done(other);
    await done(page);
  });

  test("the classify tab shows bars for dropped and for stored pictures", async () => {
    const page = await open(browser(), url());
    await settled(page);
    await page.locator(".tile .open").first().click();
    await page.locator("dialog.detail").getByRole("button", { name: "Classify" }).click();
    await page.fill("#labels", "cat\nairplane, face");
    await page.locator(".card .bars li").nth(2).waitFor();
    await page.setInputFiles(".classify input[type=file]", "assets/samples/fxemoji-angry-face.png");
    await page.locator(".card").nth(1).locator(".bars li").nth(2).waitFor();
    const sums = await page.locator(".card").evaluateAll((cards) => cards.map((card) => [...card.querySelectorAll(".number")].reduce((sum, each) => sum + parseFloat(each.textContent), 0)));
    for (const sum of sums) assert.ok(sum > 98 && sum < 102, `${sum} %`);
    if (!process.env.TANDEM_STAND_IN) assert.match(await page.locator(".card").nth(1).locator(".best").textContent(), /face/);
    await done(page);
  });

  test("on a touch screen a held tile is selected, and taps select more", async () => {
    const page = await open(browser(), url(), { viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true });
    await settled(page);
    const touch = await page.context().newCDPSession(page);
    const box = await page.locator(".tile").first().boundingBox();
    await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x: box.x + 20, y: box.y + 60 }] });
    await page.waitForTimeout(600);
    await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    assert.equal(await page.locator(".tile.selected").count(), 1);
    await page.locator(".tile .open").nth(2).tap();
    assert.equal(await page.locator(".tile.selected").count(), 2);
    assert.equal(await page.locator("dialog[open]").count(), 0);
    await done(page);
  });

  test("a phone of 320 pixels shows everything without scrolling sideways", async () => {
    const page = await open(browser(), `${url()}#q=smiling+face&t=1:text:a+rather+long+description+of+a+picture&least=all`, { viewport: { width: 320, height: 568 }, hasTouch: true, isMobile: true });
    await settled(page);
    const fits = async (what) => assert.ok(await page.evaluate(() => document.scrollingElement.scrollWidth) <= 320, what);
    await fits("search");
    await page.getByRole("button", { name: "Filters" }).tap();
    await page.locator("#filters").waitFor();
    await fits("filters");
    await page.getByRole("button", { name: "Close the filters" }).tap();
    await page.locator(".tile .open").first().tap();
    await page.locator("dialog.detail[open]").waitFor();
    assert.ok(await page.evaluate(() => document.querySelector("dialog.detail").scrollWidth) <= 320);
    await page.getByRole("button", { name: "Search by a part" }).tap();
    await page.locator(".frame").waitFor();
    assert.ok(await page.evaluate(() => document.querySelector("dialog.detail").scrollWidth) <= 320);
    await page.locator(".close-detail").tap();
    await page.locator(".tab", { hasText: "Classify" }).tap();
    await fits("classify");
    await done(page);
  });
}
