// What rows must have: kind, size, dates, and the metadata that occurs, with counts.
import { button, count, el, plain, set, show } from "./dom.js";

const KINDS = [["", "All"], ["picture", "Pictures"], ["text", "Texts"]];
const SIZES = [["", "Any size"], ["small", "Small (under 500 px wide)"], ["medium", "Medium (500 to 2,000 px)"], ["large", "Large (2,000 px and more)"]];

export const no_filters = { kind: "", size: "", from: "", to: "", metadata: {} };
export const is_filtered = (state) => Boolean(state.kind || state.size || state.from || state.to || Object.keys(state.metadata).length);

export function create_filters({ store }) {
  const choice = (name, label, values) => {
    const radios = values.map(([value, text]) => {
      const radio = el("input", { type: "radio", name, value, on: { change: () => store.set({ [name]: value }, { push: true }) } });
      const number = el("span", { class: "count" });
      return { value, radio, number, node: el("label", { class: "choice" }, radio, el("span", {}, text), number) };
    });
    return { radios, node: el("fieldset", {}, el("legend", {}, label), radios.map(({ node }) => node)) };
  };
  const kind = choice("kind", "Kind", KINDS);
  const size = el("select", { id: "size", on: { change: () => store.set({ size: size.value }, { push: true }) } }, SIZES.map(([value, text]) => el("option", { value }, text)));
  const date = (name, label) => {
    const input = el("input", { type: "date", id: name, on: { change: () => store.set({ [name]: input.value }, { push: true }) } });
    return { input, node: el("label", { class: "date", for: name }, el("span", {}, label), input) };
  };
  const from = date("from", "From");
  const to = date("to", "To");
  const collapse = el("input", { type: "checkbox", id: "collapse", on: { change: () => store.set({ collapse: collapse.checked }) } });
  const twins = el("fieldset", {}, el("legend", {}, "Near-duplicates"), el("label", { class: "choice", for: "collapse" }, collapse, el("span", {}, "Show each once")));
  const fields = el("div", { class: "fields" });
  const reset = button("Clear filters", "reset", () => store.set({ ...no_filters }, { push: true }), { class: "plain reset-filters" });
  const close = button("Close the filters", "close", () => { store.set({ filters: false }); document.querySelector(".filters-button")?.focus(); }, { quiet: true, class: "plain close-filters" });
  const element = el("aside", { class: "filters", id: "filters", "aria-label": "Filters", hidden: true },
    el("div", { class: "filters-head" }, el("h2", {}, "Filters"), reset, close), kind.node,
    el("div", { class: "group" }, el("label", { for: "size", class: "legend" }, "Size"), size),
    el("fieldset", {}, el("legend", {}, "Changed"), el("div", { class: "dates" }, from.node, to.node)), fields, twins);

  function toggle(field, value, on) {
    const metadata = { ...store.get().metadata };
    const values = (metadata[field] ?? []).filter((other) => other !== value);
    if (on) values.push(value);
    if (values.length) metadata[field] = values;
    else delete metadata[field];
    store.set({ metadata }, { push: true });
  }

  function render(state) {
    show(element, state.filters && state.tab === "search");
    for (const { value, radio } of kind.radios) radio.checked = state.kind === value;
    size.value = state.size;
    from.input.value = state.from;
    to.input.value = state.to;
    collapse.checked = state.collapse;
    show(reset, is_filtered(state));
  }

  // Fields whose values are all alike or all different (a time, a place) help nobody to choose: they are left out, unless chosen
  // from.
  function render_facets(facets, state) {
    const counts = new Map(facets.find(({ field }) => field === "kind")?.values.map(({ value, count: number }) => [value, number]) ?? []);
    for (const { value, number } of kind.radios) number.textContent = value && counts.has(value) ? count(counts.get(value)) : "";
    const shown = new Map();
    for (const { field, values } of facets) {
      if (!field.startsWith("metadata.") || values.length === 0) continue;
      if (values.length > 1 && (values[0].count > 1 || values.length <= 8)) shown.set(field.slice("metadata.".length), values);
    }
    for (const [field, chosen] of Object.entries(state.metadata)) {
      const values = shown.get(field) ?? [];
      const missing = chosen.filter((value) => !values.some((other) => other.value === value)).map((value) => ({ value, count: null }));
      shown.set(field, [...values, ...missing]);
    }
    const focused = document.activeElement?.dataset?.facet;
    fields.replaceChildren(...[...shown].map(([field, values]) => el("fieldset", {}, el("legend", {}, plain(field)), values.slice(0, 20).map(({ value, count: number }) => {
      const key = JSON.stringify([field, value]);
      const box = el("input", { type: "checkbox", "data-facet": key, on: { change: () => toggle(field, value, box.checked) } });
      box.checked = state.metadata[field]?.includes(value) ?? false;
      return el("label", { class: "choice" }, box, el("span", {}, plain(value) || "(empty)"), el("span", { class: "count" }, number === null ? "" : count(number)));
    }))));
    if (focused) [...fields.querySelectorAll("input")].find((box) => box.dataset.facet === focused)?.focus();
  }

  return { element, render, render_facets };
}
