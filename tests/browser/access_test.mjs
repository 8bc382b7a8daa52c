// axe finds nothing in any state, light and dark, wide and narrow.
import { test } from "node:test";
import { accessible, AXE, done, open, settled } from "./harness.mjs";

const LOOKS = [
  { name: "light", options: { colorScheme: "light" } },
  { name: "dark", group: "cat.color", options: { colorScheme: "dark" } },
  { name: "phone", options: { viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true } },
  { name: "high contrast", group: "cat.color", options: { contrast: "more", reducedMotion: "reduce" } },
];

const STATES = {
  browse: { at: "" },
  "search with chips": { at: "#q=smiling+face&t=1:text:cat&t=-0.5:text:dog&t=1:item:7" },
  filters: { at: "#q=smiling+face&panel=1" },
  "everything shown": { at: "#q=smiling+face&least=all" },
  nothing: { at: "#q=a+cat&least=0.999", wait: ".empty:not([hidden])" },
  "nothing wanted": { at: "#t=-0.5:text:dog", wait: ".empty:not([hidden])" },
  opened: { at: "#q=smiling+face&item=12", wait: "dialog .neighbours img" },
  crop: { at: "#q=smiling+face&item=12", wait: "dialog .neighbours img", then: async (page) => { await page.click(".crop-button"); await page.locator(".frame").waitFor(); } },
  selecting: { at: "#q=smiling+face", then: async (page) => { await page.locator(".tile .open").first().press("x"); } },
  labelling: { at: "#q=smiling+face", then: async (page) => { await page.locator(".tile .open").first().press("x"); await page.getByRole("button", { name: "Label as a training set" }).click(); } },
  help: { at: "#q=smiling+face", then: async (page) => { await page.getByRole("button", { name: "Keys and help" }).click(); } },
  "classify, empty": { at: "#tab=classify", wait: ".classify .empty" },
  classify: { at: "#tab=classify&of=3.9&label=cat&label=dog", wait: ".bars li" },
};

export function access_tests({ browser, url }) {
  for (const look of LOOKS) {
    test(`axe finds nothing: ${look.name}`, async () => {
      const page = await open(browser(), url(), { viewport: { width: 900, height: 600 }, ...look.options });
      await page.evaluate(AXE);
      for (const [name, { at, wait, then }] of Object.entries(STATES)) {
        await page.goto(`${url()}${at || "#"}`);
        if (wait) await page.locator(wait).first().waitFor();
        else await settled(page);
        await then?.(page);
        await page.waitForTimeout(250); // transitions
        await accessible(page, `${look.name}, ${name}`, look.group);
        for (let layer = 0; layer < 3; ++layer) await page.keyboard.press("Escape"); // what `then` opened
      }
      await done(page);
    });
  }
}
