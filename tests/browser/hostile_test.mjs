// Names, captions and metadata that are attacks stay texts.
import { test } from "node:test";
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { done, open, ROOT, run, serve, settled, temporary } from "./harness.mjs";
import { PAYLOADS } from "./payloads.mjs";
import { sample_items, start_stand_in } from "./stand_in.mjs";

const GONE = [/Failed to load resource/];

// Goes everywhere on the page where these texts are shown.
export async function visit(page) {
  await settled(page);
  for (let step = 0; step < 12; ++step) {
    await page.mouse.wheel(0, 2500);
    await page.waitForTimeout(30);
  }
  await page.keyboard.press("Control+Home");
  await page.locator(".tile .open").first().focus();
  await page.keyboard.press("Control+a");
  await page.getByRole("button", { name: "Label as a training set" }).click();
  await page.locator(".label-list input").first().waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Filters" }).click();
  await page.locator("#filters").waitFor();
  await page.waitForTimeout(200);
}

export async function visit_items(page) {
  await page.locator(".tile .open").first().press("Enter");
  await page.locator("dialog.detail[open]").waitFor();
  const seen = new Set();
  for (let at = 0; at < PAYLOADS.length; ++at) {
    seen.add(await page.locator("dialog.detail .facts").textContent());
    await page.keyboard.press("ArrowRight");
  }
  await page.idle();
  return seen.size;
}

// Files with such names, indexed with such captions, and texts with such metadata added over HTTP.
async function hostile_collection(bin, folder) {
  const tandem = join(bin, "tandem");
  const pictures = join(folder, "pictures");
  const lines = PAYLOADS.map((text, at) => {
    // A slash in a payload makes folders of it; what no file system can hold is left out.
    const name = `${text.replaceAll("\0", "").replace(/^[./]+/, "").slice(0, 180)}-${at}.png`;
    const file = join(pictures, name);
    mkdirSync(dirname(file), { recursive: true });
    copyFileSync(join(ROOT, "assets/samples", sample_items(ROOT)[at].name), file);
    return JSON.stringify({ path: file, caption: text.replaceAll("\0", ""), tag: text, [text || "x"]: text });
  });
  writeFileSync(join(folder, "captions.jsonl"), `${lines.join("\n")}\n`);
  const collection = join(folder, "hostile.tandem");
  await run(tandem, ["index", pictures, "--captions", join(folder, "captions.jsonl"), "--to", collection]);
  const server = await serve(tandem, [collection, "--writable"]);
  for (let at = 0; at < PAYLOADS.length; at += 20) {
    const items = PAYLOADS.slice(at, at + 20).map((text, index) => ({ text: `${text} ${at + index}`, metadata: { tag: text, [text]: text, deep: { [text]: [text] } } }));
    const answer = await fetch(`${server.url}v1/items`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ items }) });
    assert.equal(answer.status, 201, await answer.text());
  }
  return server;
}

export function hostile_tests({ browser, bin }) {
  if (bin) {
    test("200 attacks in file names, captions and metadata of a real collection are shown as texts", async (t) => {
      const place = temporary();
      t.after(place.remove);
      const server = await hostile_collection(bin, place.folder);
      t.after(server.stop);
      const page = await open(browser(), server.url, { expected: [/status of 404/] }); // a file name that no longer reads
      await settled(page);
      assert.equal(await page.locator(".summary").textContent(), "400, newest first");
      await visit(page);
      await page.goto(`${server.url}#kind=picture`);
      await page.idle();
      for (let step = 0; step < 30 && await page.locator(".tile").count() < 200; ++step) {
        await page.mouse.wheel(0, 3000);
        await page.idle();
      }
      const seen = await visit_items(page);
      assert.ok(seen > 150, `${seen} items`);
      await page.keyboard.press("Escape");
      await page.goto(`${server.url}#q=script&panel=1&least=all`);
      await page.idle();
      await page.locator(".tile .open").first().press("s");
      await page.idle();
      await done(page);
    });
  }

  test("200 attacks in captions, names, metadata and facets are shown as texts", async (t) => {
    assert.equal(PAYLOADS.length, 200);
    const few = sample_items(ROOT);
    const items = PAYLOADS.map((text, at) => ({ ...few[at], name: `${text}.png`, caption: at % 2 ? text : "", kind: at % 5 ? "picture" : "text", metadata: { [text]: text, tag: text, list: [text] } }));
    for (const item of items) if (item.kind === "text") item.caption = PAYLOADS[item.id - 1];
    const server = await start_stand_in({ root: ROOT, items, collection: PAYLOADS[0] });
    t.after(() => server.stop());
    const page = await open(browser(), server.url, { expected: GONE });
    await visit(page);
    const seen = await visit_items(page);
    assert.ok(seen > 150, `${seen} items`);
    await page.keyboard.press("Escape");
    await page.goto(`${server.url}#q=script&panel=1`);
    await settled(page);
    await page.locator(".tile .open").first().press("s");
    await page.idle();
    await done(page);
  });

  test("attacks in the address and in the server's errors are shown as texts", async (t) => {
    const server = await start_stand_in({ root: ROOT });
    t.after(() => server.stop());
    const page = await open(browser(), server.url, { expected: GONE });
    for (const text of PAYLOADS.filter((_, at) => at % 4 === 0)) {
      const each = encodeURIComponent(text);
      await page.goto(`${server.url}#q=${each}&t=${encodeURIComponent(`1:text:${text}`)}&t=${encodeURIComponent(`1:picture:${text}`)}&c=&kind=${each}&meta=${encodeURIComponent(JSON.stringify({ [text]: [text] }))}`
        + `&label=${each}&panel=1&item=${each}&least=${each}&sort=${each}&from=${each}&tab=${each}`);
    }
    await page.goto(`${server.url}#tab=classify&of=3&${PAYLOADS.slice(0, 100).map((text) => `label=${encodeURIComponent(text)}`).join("&")}`);
    await page.locator(".bars li").first().waitFor();
    Object.assign(server.faults, { status: 422, message: PAYLOADS[0], type: PAYLOADS[2] });
    await page.goto(`${server.url}#q=a`);
    await page.locator(".banner:not([hidden])").waitFor();
    assert.match(await page.locator(".banner").textContent(), /<script>/);
    await done(page);
  });
}
