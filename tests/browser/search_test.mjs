// Finding things.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, done, open, ROOT, settled, summary, titles } from "./harness.mjs";

const SAMPLE = join(ROOT, "assets/samples/fxemoji-angry-face.png");

const size_of = (page, picture) => page.evaluate(async (source) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  return [image.naturalWidth, image.naturalHeight];
}, picture);

export function search_tests({ browser, url }) {
  test("an empty query shows the newest, and everything", async () => {
    const page = await open(browser(), url());
    await settled(page);
    assert.equal(await summary(page), "400, newest first");
    assert.ok(await page.locator(".tile").count() >= 24);
    await done(page);
  });

  test("typing searches, without Enter", async () => {
    const page = await open(browser(), url());
    await settled(page);
    await ask(page, "cat");
    assert.match((await titles(page, 3)).join(), /cat/);
    assert.match(await summary(page), /^\d+ relevant of 400$/);
    await done(page);
  });

  test("a minus between spaces makes what follows unwanted, and chips are changed by keys and clicks", async () => {
    const page = await open(browser(), url());
    await settled(page);
    const bodies = [];
    page.on("request", (request) => { if (request.url().endsWith("/v1/search")) bodies.push(request.postDataJSON()); });
    await page.click("#query");
    await page.keyboard.type("cat face - smiling");
    await page.idle();
    assert.deepEqual(bodies.at(-1).terms, [{ text: "cat face", weight: 1 }, { text: "smiling", weight: -0.5 }]);
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(".chip").count(), 2);
    await page.locator(".chip .weight").nth(1).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.idle();
    assert.equal(bodies.at(-1).terms[1].weight, -1);
    await page.locator(".chip .flip").nth(1).click();
    await page.idle();
    assert.deepEqual(bodies.at(-1).terms[1], { text: "smiling", weight: 1 });
    await page.locator(".chip .remove").nth(1).click();
    await page.idle();
    assert.deepEqual(bodies.at(-1).terms, [{ text: "cat face", weight: 1 }]);
    await page.focus("#query");
    await page.keyboard.press("Backspace");
    assert.equal(await page.inputValue("#query"), "cat face");
    await done(page);
  });

  test("dragging a chip changes its weight", async () => {
    const page = await open(browser(), `${url()}#t=1:text:cat`);
    await settled(page);
    const box = await page.locator(".chip .weight").boundingBox();
    await page.mouse.move(box.x + 5, box.y + 10);
    await page.mouse.down();
    await page.mouse.move(box.x + 65, box.y + 10, { steps: 5 });
    await page.mouse.up();
    assert.equal(await page.locator(".chip .factor").textContent(), "×2");
    await done(page);
  });

  test("only unwanted terms ask for something wanted", async () => {
    const page = await open(browser(), `${url()}#t=-0.5:text:cat`);
    await page.getByText("What should be there?").waitFor();
    await done(page);
  });

  test("a picture is picked, dropped or pasted, and is searched by", async () => {
    const page = await open(browser(), url());
    await settled(page);
    await page.setInputFiles(".field input[type=file]", SAMPLE);
    await page.locator(".chip").waitFor();
    await settled(page);
    await page.waitForFunction(() => /relevant/.test(document.querySelector(".summary").textContent));
    if (!process.env.TANDEM_STAND_IN) assert.equal((await titles(page, 1))[0], "angry face");
    const bytes = readFileSync(SAMPLE).toString("base64");
    for (const kind of ["drop", "paste"]) {
      await page.evaluate(({ data, event }) => {
        const file = new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], `${event}.png`, { type: "image/png" });
        const carried = new DataTransfer();
        carried.items.add(file);
        const sent = event === "drop" ? new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }) : new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true });
        document.querySelector(".grid").dispatchEvent(sent);
      }, { data: bytes, event: kind });
      await page.locator(".chip", { hasText: `${kind}.png` }).waitFor();
    }
    assert.equal(await page.locator(".chip").count(), 3);
    await done(page);
  });

  test("what is not a picture is said, and changes nothing", async () => {
    const page = await open(browser(), url());
    await settled(page);
    await page.setInputFiles(".field input[type=file]", join(ROOT, "assets/samples/captions.tsv"));
    await page.locator(".toast.shown").waitFor();
    assert.match(await page.locator(".toast").textContent(), /not a picture/);
    assert.equal(await page.locator(".chip").count(), 0);
    await done(page);
  });

  test("a tile finds what is similar to it", async () => {
    const page = await open(browser(), `${url()}#q=cat`);
    await settled(page);
    const first = (await titles(page, 1))[0];
    await page.locator(".tile").first().hover();
    await page.locator(".tile .similar").first().click();
    await page.locator(".chip").waitFor();
    await page.idle();
    assert.equal((await titles(page, 1))[0], first);
    await done(page);
  });

  test("a part of an opened picture is searched by, with the keyboard alone", async () => {
    const page = await open(browser(), `${url()}#q=smiling+face`);
    await settled(page);
    await page.focus("#query");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator("dialog.detail img").first().waitFor();
    await page.keyboard.press("c");
    await page.locator(".frame").waitFor();
    for (const key of ["ArrowLeft", "ArrowUp", "Shift+ArrowRight"]) await page.keyboard.press(key);
    const asked = page.waitForRequest((request) => request.url().endsWith("/v1/search"));
    await page.locator(".search-part").press("Enter");
    const { terms } = (await asked).postDataJSON();
    assert.deepEqual(await size_of(page, terms[0].picture), [79, 77], "62 % and 60 % of 128 pixels");
    assert.match(page.url(), /%4018%2C18%2C62%2C60/);
    await settled(page);
    assert.match(await page.locator(".chip").textContent(), /part of/);
    await done(page);
  });

  test("a part of a dropped picture is cut out before it is sent", async () => {
    const page = await open(browser(), url());
    await settled(page);
    await page.setInputFiles(".field input[type=file]", SAMPLE);
    await page.locator(".chip .part").click();
    const stage = await page.locator(".cropper").boundingBox();
    await page.mouse.move(stage.x + 5, stage.y + 5);
    await page.mouse.down();
    await page.mouse.move(stage.x + stage.width / 2, stage.y + stage.height / 2, { steps: 4 });
    await page.mouse.up();
    const asked = page.waitForRequest((request) => request.url().endsWith("/v1/search"));
    await page.locator(".search-part").click();
    const { terms } = (await asked).postDataJSON();
    const [width] = await size_of(page, terms[0].picture);
    assert.ok(width > 50 && width < 70, `${width} of 128 px`);
    await done(page);
  });

  test("an older answer never replaces a newer one", async () => {
    const page = await open(browser(), url());
    await settled(page);
    let number = 0;
    await page.route("**/v1/search", async (route) => {
      const late = ++number === 1;
      if (late) await new Promise((later) => setTimeout(later, 700));
      await route.continue().catch(() => {});
    });
    await page.click("#query");
    await page.keyboard.type("c");
    await page.waitForTimeout(100);
    await page.keyboard.type("herry");
    await page.waitForTimeout(1200);
    const shown = await titles(page, 5);
    const fresh = await open(browser(), `${url()}#q=cherry`);
    await settled(fresh);
    assert.deepEqual(shown, await titles(fresh, 5));
    await done(fresh);
    await done(page);
  });
}
