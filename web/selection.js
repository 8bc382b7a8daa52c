// What is selected: exported for other programs, or labelled as a training set.
import { button, count, el, plain, plural, say, set, show } from "./dom.js";
import { open_dialog } from "./dialog.js";
import { title_of } from "./grid.js";

// A field of a CSV. Spreadsheets take texts that begin like a formula for one, so these get an apostrophe; JSON lines are exact.
export function csv_field(value) {
  const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function to_csv(items) {
  const keys = [...new Set(items.flatMap((item) => Object.keys(item.metadata ?? {})))].sort();
  const lines = [["uri", "caption", "score", ...keys.map((key) => `metadata.${key}`)]];
  for (const item of items) lines.push([item.uri, item.caption ?? "", item.score ?? "", ...keys.map((key) => item.metadata?.[key])]);
  return lines.map((line) => `${line.map(csv_field).join(",")}\r\n`).join("");
}

export const to_jsonl = (items) => items.map(({ uri, caption, score, metadata }) => `${JSON.stringify({ uri, caption: caption ?? "", score: score ?? null, metadata: metadata ?? {} })}\n`).join("");

// A table of path and caption as --captions and training read it. A path with a tab or a line's end cannot be written: counted.
export function to_captions(labelled) {
  const usable = labelled.filter(({ uri, caption }) => !/[\t\r\n]/.test(uri) && !uri.startsWith("#") && caption.trim() !== "");
  return { text: usable.length && `path\tcaption\n${usable.map(({ uri, caption }) => `${uri}\t${caption.replace(/\s+/g, " ").trim()}\n`).join("")}`, left_out: labelled.length - usable.length };
}

export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export function create_selection({ previews, changed, classify }) {
  const chosen = new Map(); // id: item, in the order selected
  let last = null;
  const summary = el("p", { role: "status", class: "selected-count" });
  const bar = el("div", { class: "selection", role: "region", "aria-label": "Selection", hidden: true }, summary,
    button("CSV", "export", () => download("tandem.csv", "text/csv", to_csv([...chosen.values()])), { "aria-label": "Export CSV" }),
    button("JSONL", "export", () => download("tandem.jsonl", "application/jsonl", to_jsonl([...chosen.values()])), { "aria-label": "Export JSONL" }),
    button("Label", "tag", label, { "aria-label": "Label as a training set" }), button("Classify", "bars", () => classify([...chosen.values()])),
    button("Drop the selection", "close", clear, { quiet: true, class: "plain" }));

  function tell() {
    show(bar, chosen.size > 0);
    document.body.classList.toggle("selecting", chosen.size > 0);
    say(summary, `${count(chosen.size)} selected`);
    changed();
  }

  // range: everything between the last one selected and this; on: select, never drop.
  function select(item, { range = false, on = false }, items = []) {
    const from = items.findIndex((other) => other.id === last);
    const to = items.findIndex((other) => other.id === item.id);
    if (range && from >= 0 && to >= 0) {
      for (const each of items.slice(Math.min(from, to), Math.max(from, to) + 1)) chosen.set(each.id, each);
    } else if (chosen.has(item.id) && !on) chosen.delete(item.id);
    else chosen.set(item.id, item);
    last = item.id;
    tell();
  }

  function clear() {
    chosen.clear();
    last = null;
    tell();
  }

  function label() {
    const items = [...chosen.values()].filter((item) => item.kind === "picture");
    const rows = items.map((item) => ({ item, input: el("input", { type: "text", value: item.caption ?? "", "aria-label": `Caption of ${plain(item.name)}`, maxlength: "2000" }) }));
    const common = el("input", { type: "text", id: "common-caption", placeholder: "for example: a photo of a dog", maxlength: "2000" });
    const note = el("p", { class: "hint", role: "status" });
    const apply = el("button", { type: "button", on: { click: () => {
      for (const { input } of rows) input.value = common.value;
      say(note, `Given to ${plural(rows.length, "picture", "pictures")}.`);
    } } }, "Give to all");
    const form = el("form", { class: "label-form", on: { submit: (event) => {
      event.preventDefault();
      const { text, left_out } = to_captions(rows.map(({ item, input }) => ({ uri: item.uri, caption: input.value })));
      if (!text) return say(note, "No picture has a caption yet.");
      download("captions.tsv", "text/tab-separated-values", text);
      say(note, left_out ? `Saved, without ${plural(left_out, "picture", "pictures")} that have no caption or a path that cannot be written on one line.` : "Saved.");
    } } }, el("div", { class: "common" }, el("label", { for: "common-caption" }, "Caption for all"), common, apply),
    el("ul", { class: "label-list" }, rows.map(({ item, input }) => {
      const image = el("img", { alt: "", class: "thumb", loading: "lazy" });
      previews.show(image, item.id, 160);
      return el("li", {}, image, el("div", {}, el("span", { class: "path" }, el("bdi", {}, plain(item.name))), input));
    })), note,
    el("p", { class: "hint" }, "A table of path and caption, as ", el("code", {}, "tandem index --captions"), " and training read it."),
    el("div", { class: "actions" }, el("button", { type: "submit", class: "primary" }, "Download captions.tsv")));
    open_dialog({ title: `Label ${plural(items.length, "picture", "pictures")}`, content: form, kind: "label" });
    common.focus();
  }

  return { element: bar, chosen, select, clear, select_all: (items) => { for (const item of items) chosen.set(item.id, item); tell(); } };
}
