// Puts the page together. Each part renders the state (state.js) or the results (search.js) and knows nothing of the others.
import { button, el, icon, plain, plural, say, set, show } from "./dom.js";
import { create_api } from "./api.js";
import { create_store, initial } from "./state.js";
import { create_search } from "./search.js";
import { create_search_bar } from "./search_bar.js";
import { create_toolbar } from "./toolbar.js";
import { create_filters, is_filtered, no_filters } from "./filters.js";
import { create_grid } from "./grid.js";
import { create_previews } from "./previews.js";
import { create_detail } from "./detail.js";
import { create_selection } from "./selection.js";
import { create_classify } from "./classify.js";
import { create_banner, create_empty } from "./status.js";
import { ask_key, open_dialog, show_help } from "./dialog.js";
import { create_cropper } from "./crop.js";
import { create_parts, part_of, read_picture, SMALL_MOST, view_of } from "./pictures.js";
import { MOST_TERMS } from "./terms.js";

const store = create_store();
const api = create_api({ ask_key });
let collections = [];
const collection = () => collections.find(({ name }) => name === store.get().collection) ?? collections[0];
const previews = create_previews({ api, collection: () => store.get().collection });

const selection = create_selection({ previews, changed: () => grid.refresh_marks(), classify });
const search = create_search({ api, store, first_page: () => grid.page_size(), part_of: create_parts({ api, collection: () => store.get().collection }) });
const grid = create_grid({
  previews,
  selected: selection.chosen,
  href: (id) => store.href({ item: id }),
  near_end: () => search.more(),
  actions: { open: (item) => store.set({ item: item.id }, { push: true }), similar, select: (item, how) => selection.select(item, how, grid.items()), expand },
});
const detail = create_detail({
  api, store, previews, selected: selection.chosen,
  near: (id, step) => {
    const at = grid.items().findIndex((item) => item.id === id);
    if (step > 0 && at > grid.items().length - 10) search.more();
    return at < 0 ? undefined : grid.items()[at + step];
  },
  actions: {
    similar, part, classify, select: (item) => selection.select(item, {}, grid.items()),
    add: (item, weight) => add_terms([{ kind: "item", id: item.id, name: plain(item.caption) || plain(item.name), weight: weight > 0 ? 1 : -0.5 }], { item: null }),
    copy_link: () => navigator.clipboard?.writeText(location.href).then(() => true, () => false) ?? false,
  },
});
const bar = create_search_bar({ store, previews, pick_files, crop_term });
const toolbar = create_toolbar({ store, search, collection });
const filters = create_filters({ store });
const classifier = create_classify({ api, store, previews, collection, pick_files });
const banner = create_banner({ again: () => { if (!collections.length) start(); search.again(); } });
const empty = create_empty({ show_nearest: () => store.set({ least: "all" }), clear_filters: () => store.set({ ...no_filters }, { push: true }) });

// ---- what people do

function add_terms(terms, patch = {}) {
  const state = store.get();
  if (state.terms.length + terms.length > MOST_TERMS) return tell(`At most ${MOST_TERMS} terms.`);
  store.set({ terms: [...state.terms, ...terms], least: null, ...patch }, { push: true });
  scrollTo({ top: 0 });
}

function similar(item) {
  store.set({ terms: [{ kind: "item", id: item.id, name: plain(item.caption) || plain(item.name), weight: 1 }], text: "", sign: 1, least: null, sort: "relevance", item: null, tab: "search" }, { push: true });
  scrollTo({ top: 0 });
}

function part(item, region) {
  store.set({ terms: [{ kind: "item", id: item.id, name: plain(item.caption) || plain(item.name), region, weight: 1 }], text: "", sign: 1, least: null, item: null }, { push: true });
  scrollTo({ top: 0 });
}

function classify(items) {
  classifier.know(items);
  store.set({ tab: "classify", item: null, subjects: items.map(({ id }) => id).slice(0, 200) }, { push: true });
  classifier.focus();
}

async function pick_files(files) {
  const terms = [];
  for (const file of files.slice(0, 32)) {
    try {
      terms.push(await read_picture(file));
    } catch (error) {
      tell(error.message);
    }
  }
  if (!terms.length) return;
  if (store.get().tab === "classify") return classifier.add(terms);
  add_terms(terms);
  const small = terms.every((term) => term.small && term.small.length <= SMALL_MOST);
  tell(small ? "The link to this search carries a small copy of the picture." : "The picture is not part of the link to this search.");
}

async function expand(item) {
  const open = !item.expanded;
  let twins = [];
  if (open) {
    const found = await Promise.allSettled(item.duplicates.slice(0, 50).map((id) => api.item(store.get().collection, id)));
    twins = found.filter(({ status }) => status === "fulfilled").map(({ value }) => ({ ...value, twin_of: item.id, relevant: item.relevant }));
  }
  const shown = new Set(twins.map(({ id }) => id));
  const next = search.results.items.filter((other) => other.twin_of !== item.id && !(shown.has(other.id)))
    .flatMap((other) => (other.id === item.id ? [{ ...other, expanded: open }, ...twins] : [other]));
  search.results.items = next;
  grid.show(next);
  grid.focus(item.id);
}

// A part of a chip's picture.
async function crop_term(at) {
  const term = store.get().terms[at];
  const image = el("img", { alt: plain(term.name) });
  if (term.kind === "picture") image.src = await view_of(term);
  else previews.show(image, term.id, 1280);
  const cropper = create_cropper(image, { start: term.region, actions: [
    term.region ? button("The whole picture", "reset", () => replace(undefined), {}) : null,
    button("Search this part", "search", () => replace(cropper.region()), { class: "primary search-part" })] });
  const replace = async (region) => {
    const changed = term.kind === "picture" ? await part_of(term, region ?? { left: 0, top: 0, width: 100, height: 100 }) : { ...term, region };
    if (!region) changed.region = undefined;
    store.set({ terms: store.get().terms.map((other, index) => (index === at ? changed : other)), least: null }, { push: true });
    dialog.close();
  };
  const dialog = open_dialog({ title: "Search by a part", kind: "crop-dialog", content: cropper.element });
  cropper.focus();
}

// ---- the page

const toast = el("p", { class: "toast", role: "status" });
let toast_timer = 0;
function tell(text) {
  say(toast, text);
  toast.classList.add("shown");
  clearTimeout(toast_timer);
  toast_timer = setTimeout(() => { toast.classList.remove("shown"); say(toast, ""); }, 6000);
}

const tab = (name, label, iconName) => el("a", { class: "tab", "data-tab": name, on: { click: (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  store.set({ tab: name, item: null }, { push: true });
} } }, icon(iconName), el("span", {}, label));
const tabs = [tab("search", "Search", "search"), tab("classify", "Classify", "bars")];
const shelf = el("select", { id: "collection", "aria-label": "Collection", on: { change: () => {
  selection.clear();
  store.set({ collection: shelf.value, terms: store.get().terms.filter(({ kind }) => kind !== "item"), item: null, least: null, metadata: {}, subjects: [] }, { push: true });
} } });
const home = el("a", { class: "home", href: "./", "aria-label": "Tandem: all pictures", on: { click: (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  store.set({ ...initial(), collection: store.get().collection }, { push: true });
} } }, el("img", { src: "page/icon.svg", alt: "", width: 26, height: 26 }), el("span", { class: "wordmark" }, "Tandem"));
const sentinel = el("div", { class: "sentinel", "aria-hidden": "true" });
const view = el("section", { class: "view", "aria-label": "Search" }, toolbar.element,
  el("div", { class: "columns" }, filters.element, el("div", { class: "found" }, empty.element, grid.element, sentinel)));
const heading = el("h1", { class: "visually-hidden" }, "Tandem");
const drop = el("div", { class: "drop", "aria-hidden": "true" }, el("p", {}, icon("picture"), "Drop to search by this picture"));
document.body.append(
  el("a", { class: "skip", href: "#results", on: { click: (event) => { event.preventDefault(); grid.focus_first(); } } }, "Skip to the results"),
  el("header", { class: "top" }, home, bar.element, el("nav", { "aria-label": "Sections" }, tabs), shelf,
    button("Keys and help", "help", show_help, { quiet: true, class: "plain help-button" })),
  el("main", { id: "results" }, heading, banner.element, view, classifier.element),
  selection.element, toast, drop);

function render(state, previous) {
  for (const link of tabs) {
    const { tab: name } = link.dataset;
    set(link, { href: store.href({ tab: name, item: null }), "aria-current": name === state.tab ? "page" : null });
  }
  show(view, state.tab === "search");
  show(bar.element, state.tab === "search");
  document.body.classList.toggle("judging", state.tab === "classify");
  if (state.collection !== previous?.collection) {
    shelf.value = collection()?.name ?? "";
    if (previous) grid.show([]); // the same numbers are other items now
  }
  bar.render(state, previous);
  toolbar.render(state);
  filters.render(state);
  classifier.render(state, previous);
  detail.render(state, (id) => grid.items().find((item) => item.id === id));
  const words = [...state.terms.filter(({ kind }) => kind === "text").map(({ text }) => text), state.text.trim()].filter(Boolean).join(", ");
  document.title = words && state.tab === "search" ? `${plain(words)} · Tandem` : state.tab === "classify" ? "Classify · Tandem" : "Tandem";
}
store.listen(render);

// Below the cut-off by the order of relevance: a line says where it gets less likely.
function divided(items, state) {
  if (state.sort !== "relevance") return items;
  const at = items.findIndex((item) => item.relevant === false);
  return at > 0 ? items.map((item, index) => (index === at ? { ...item, divided: true } : item)) : items;
}

search.listen((results, what) => {
  const state = store.get();
  toolbar.waiting(what === "waiting");
  if (what === "waiting") return;
  banner.render(results.error);
  if (what === "facets") return filters.render_facets(results.facets, state);
  if (what === "all" || what === "more") {
    results.items = divided(results.items, state);
    grid.show(results.items, { more: what === "more" });
    if (what === "all") name_terms(results.items);
    if (performance.getEntriesByName("tandem:typed").length) {
      performance.clearMeasures("tandem:keystroke");
      performance.measure("tandem:keystroke", "tandem:typed");
      performance.clearMarks("tandem:typed");
    }
  }
  toolbar.render_results(results, state);
  empty.render(results, is_filtered(state), state);
  if (what === "all" || what === "more") requestAnimationFrame(fill);
});

// Items of a link have numbers only; their chips say more once they are known.
function name_terms() {
  for (const term of store.get().terms) {
    if (term.kind !== "item" || term.name !== `#${term.id}`) continue;
    api.item(store.get().collection, term.id).then((item) => {
      const name = plain(item.caption) || plain(item.name) || `item ${item.id}`;
      store.set({ terms: store.get().terms.map((other) => (other.kind === "item" && other.id === item.id ? { ...other, name } : other)) });
    }, () => {});
  }
}

// The next page is asked for before its end is seen.
function fill() {
  if (sentinel.offsetParent && sentinel.getBoundingClientRect().top < innerHeight + 1200) search.more();
}
new IntersectionObserver(fill, { rootMargin: "1200px 0px" }).observe(sentinel);

// ---- keys, drops and pastes anywhere

addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=checkbox], [type=radio], [type=range]), textarea, select");
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && !event.defaultPrevented) {
    if (selection.chosen.size) selection.clear();
    else if (store.get().filters) store.set({ filters: false });
    return;
  }
  if (typing || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "a" && event.target.closest?.(".grid")) {
      event.preventDefault();
      selection.select_all(grid.items());
    }
    return;
  }
  if (event.key === "/") {
    event.preventDefault();
    if (store.get().tab !== "search") store.set({ tab: "search" }, { push: true });
    bar.focus();
  } else if (event.key === "?") show_help();
  else if (event.key === "f" && store.get().tab === "search") store.set({ filters: !store.get().filters });
});

let entered = 0;
const carries_files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
addEventListener("dragenter", (event) => { if (carries_files(event)) { ++entered; document.body.classList.add("dropping"); } });
addEventListener("dragleave", (event) => { if (carries_files(event) && --entered <= 0) { entered = 0; document.body.classList.remove("dropping"); } });
addEventListener("dragover", (event) => { if (carries_files(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  entered = 0;
  document.body.classList.remove("dropping");
  if (!carries_files(event)) return;
  event.preventDefault();
  if (!document.querySelector("dialog[open]")) pick_files([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
  if (!files.length || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  pick_files(files);
});
addEventListener("online", () => search.again());

// ---- start

async function start() {
  try {
    collections = await api.collections();
    shelf.replaceChildren(...collections.map(({ name, items }) => el("option", { value: name }, `${plain(name)} (${items.toLocaleString("en")})`)));
    shelf.value = collection()?.name ?? "";
    show(shelf, collections.length > 1);
    if (search.results.error) search.again();
    else toolbar.render_results(search.results, store.get());
    if (collections.length === 0) return tell("The server has no collection. Start it with: tandem serve NAME.tandem");
  } catch (error) {
    if (error.name === "AbortError") return;
    banner.render(error);
    if (["unreachable", "busy", "draining"].includes(error.kind)) setTimeout(start, Math.max(2, error.retryAfter) * 1000);
  }
}

render(store.get(), null);
search.ask();
start();
if (!location.hash && matchMedia("(pointer: fine)").matches) bar.box.focus();
