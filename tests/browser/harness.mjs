// Chromium, the server under test, and a watch over every page: errors, dialogs, reports of the policy and requests elsewhere
// fail the test that opened it.
import { createRequire } from "node:module";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { start_front } from "./stand_in.mjs";

export const ROOT = new URL("../../", import.meta.url).pathname;
const require = createRequire(import.meta.url);
const { chromium } = require(join(ROOT, ".deps/npm/playwright-core"));
export const AXE = readFileSync(join(ROOT, ".deps/npm/axe-core/axe.min.js"), "utf8");

const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS });

// Opens `url`; `options` are Playwright's of a context. Returns the page, with `page.trouble` growing as things go wrong.
export async function open(browser, url, options = {}) {
  // A busy machine may refuse a request; the page waits and asks again.
  const { expected: given = [], ...rest } = options;
  const expected = [/status of (429|503)/, ...given];
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, ...rest });
  const page = await context.newPage();
  page.setDefaultTimeout(8000);
  const origin = new URL(url).origin;
  page.trouble = [];
  const note = (text) => { if (!expected.some((pattern) => pattern.test(text))) page.trouble.push(text); };
  page.on("pageerror", (error) => note(`error: ${error.stack}`));
  page.on("console", (message) => { if (message.type() === "error") note(`console: ${message.text()}`); });
  page.on("dialog", (dialog) => { note(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => {
    const address = request.url();
    if (!/^(data|blob):/.test(address) && new URL(address).origin !== origin) note(`request elsewhere: ${address}`);
  });
  let open_requests = 0;
  let last = 0;
  page.on("request", () => { ++open_requests; });
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, () => { --open_requests; last = performance.now(); });
  // Nothing is being fetched, and has not been for a moment.
  page.idle = async () => {
    await page.waitForTimeout(90);
    while (open_requests > 0 || performance.now() - last < 90) await page.waitForTimeout(30);
  };
  page.on("popup", (popup) => note(`popup: ${popup.url()}`));
  await page.addInitScript(() => {
    window.__reports = [];
    document.addEventListener("securitypolicyviolation", (event) => window.__reports.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
  });
  await page.goto(url);
  return page;
}

// Nothing went wrong on the page; then it is closed.
export async function done(page) {
  const { reports, hit } = await page.evaluate(() => ({ reports: window.__reports, hit: window.__hit }));
  assert.deepEqual(page.trouble, []);
  assert.deepEqual(reports, []);
  assert.equal(hit, undefined);
  await page.context().close();
}

// Requires: AXE was evaluated on the page. group: of rules ("cat.color"); undefined: all.
export async function accessible(page, what, group) {
  const { violations } = await page.evaluate((tag) => window.axe.run(document, { resultTypes: ["violations"], ...(tag ? { runOnly: [tag] } : {}) }), group);
  const found = violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`).join(" | ")}`);
  assert.deepEqual(found, []);
}

// The results are there and the page waits for nothing.
export async function settled(page) {
  await page.waitForFunction(() => document.querySelector(".toolbar:not(.waiting)") && (document.querySelector(".tile, .bars li") || document.querySelector(".empty:not([hidden])")));
}

export const titles = (page, most = 12) => page.locator(".tile").evaluateAll((tiles, number) => tiles.slice(0, number).map((tile) => tile.querySelector("img")?.alt ?? tile.textContent), most);

export const summary = (page) => page.locator(".summary").textContent();

// Types and waits for the answer to it.
export async function ask(page, text) {
  await page.focus("#query");
  await page.keyboard.insertText(text);
  await page.idle();
  await settled(page);
}

export function temporary() {
  const folder = mkdtempSync(join(tmpdir(), "tandem-browser-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

// Runs a program to its end. Throws what it said when it fails.
export function run(program, args) {
  return new Promise((finished, failed) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stdout.on("data", (bytes) => { said += bytes; });
    child.stderr.on("data", (bytes) => { said += bytes; });
    child.on("error", failed);
    child.on("close", (code) => (code === 0 ? finished(said) : failed(new Error(`${program} ${args.join(" ")}: ${code}\n${said}`))));
  });
}

// `tandem serve` on a free port, once it says where it listens. Returns {url, stop}. With --web on the command line the page's
// files come from web/ as they are now, not from the program: nothing must be built while the page is written.
export async function serve(program, args) {
  const server = await serve_program(program, args);
  if (!process.argv.includes("--web")) return server;
  const front = await start_front({ root: ROOT, url: server.url });
  return { url: front.url, stop: async () => { await front.stop(); await server.stop(); } };
}

function serve_program(program, args) {
  return new Promise((listening, failed) => {
    const child = spawn(program, ["serve", ...args, "--port", "0"], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    const ended = new Promise((over) => child.on("exit", over));
    // It finishes what it has begun; a page that a failed test left open must not hold it for long.
    const stop = async () => {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), 3000);
      await ended;
      clearTimeout(late);
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const read = (bytes) => {
      said += bytes;
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(said);
      if (found) listening({ url: `${found[0]}/`, stop });
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", failed);
    child.on("exit", (code) => failed(new Error(`tandem serve ended with ${code}:\n${said}`)));
  });
}
