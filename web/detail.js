// One item, large: its picture, what is known of it, its neighbours, and what can be done with it. It has its own address.
import { button, count, el, icon, plain, say, set, show } from "./dom.js";
import { create_cropper } from "./crop.js";
import { preview_side, title_of } from "./grid.js";

const NEIGHBOURS = 12;

// actions: similar(item), add(item, weight), part(item, region), select(item, {}), classify(item), copy_link(); near(id, step):
// the item before or after it in the results.
export function create_detail({ api, store, previews, actions, selected, near }) {
  let item = null;
  let shown = null; // id
  let before = null; // focused
  let loading = null;
  let cropper = null;

  const heading = el("h2", { id: "detail-title", tabindex: "-1" });
  const stage = el("div", { class: "stage" });
  const facts = el("dl", { class: "facts" });
  const neighbours = el("ul", { class: "neighbours", "aria-label": "Nearest to it" });
  const note = el("p", { class: "hint", role: "status" });
  const previous = button("Previous", "left", () => step(-1), { quiet: true, class: "plain step previous" });
  const next = button("Next", "right", () => step(1), { quiet: true, class: "plain step next" });
  const close = button("Close", "close", () => store.set({ item: null }, { push: true }), { quiet: true, class: "plain close-detail" });
  const select = button("Select", "check", () => { actions.select(item, {}); mark(); }, { "aria-pressed": "false", class: "plain" });
  const crop = button("Search by a part", "crop", toggle_crop, { "aria-pressed": "false", class: "crop-button" });
  const verbs = el("div", { class: "row" }, button("Find similar", "similar", () => actions.similar(item), { class: "primary" }), crop);
  const more_verbs = el("div", { class: "row quiet" },
    button("Add to query", "plus", () => actions.add(item, 1), { class: "plain" }), button("Exclude", "minus", () => actions.add(item, -1), { class: "plain" }), select,
    button("Classify", "bars", () => actions.classify([item]), { class: "plain" }),
    button("Copy link", "link", async () => say(note, (await actions.copy_link()) ? "Link copied." : "The browser did not allow copying; the address bar has the link."), { class: "plain" }));
  const about = el("section", { class: "about", "aria-label": "About it" }, heading, el("div", { class: "verbs" }, verbs, more_verbs), note, facts, el("h3", {}, "Nearest to it"), neighbours);
  const dialog = el("dialog", { class: "detail", "aria-labelledby": "detail-title", on: {
    cancel: (event) => {
      event.preventDefault();
      if (cropper) toggle_crop();
      else store.set({ item: null }, { push: true });
    },
    keydown: on_key,
  } }, el("div", { class: "viewer" }, stage, previous, next), about, close);
  document.body.append(dialog);

  // A swipe over the picture goes on to the next.
  let swiped = null;
  stage.addEventListener("pointerdown", (event) => { swiped = event.pointerType === "touch" && !cropper ? { x: event.clientX, y: event.clientY } : null; });
  stage.addEventListener("pointerup", (event) => {
    if (!swiped) return;
    const [across, down] = [event.clientX - swiped.x, event.clientY - swiped.y];
    if (Math.abs(across) > 60 && Math.abs(across) > 2 * Math.abs(down)) step(across < 0 ? 1 : -1);
    swiped = null;
  });

  function on_key(event) {
    if (event.target.closest("input, .frame") || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), x: () => select.click(), s: () => actions.similar(item), c: () => crop.click() }[event.key];
    if (!action || !item) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  function step(by) {
    const other = near(shown, by);
    if (other) store.set({ item: other.id });
  }

  function toggle_crop() {
    if (cropper) {
      cropper = null;
      draw();
    } else if (item?.kind === "picture") {
      const image = stage.querySelector("img");
      if (!image) return;
      cropper = create_cropper(image, { actions: [button("Search this part", "search", () => actions.part(item, cropper.region()), { class: "primary search-part" }),
        button("Cancel", null, toggle_crop, {})] });
      stage.replaceChildren(cropper.element);
      cropper.focus();
    }
    set(crop, { "aria-pressed": String(cropper !== null) });
  }

  function mark() {
    const on = item !== null && selected.has(item.id);
    set(select, { "aria-pressed": String(on) });
    say(select.lastChild, on ? "Selected" : "Select");
  }

  function draw() {
    cropper = null;
    set(crop, { "aria-pressed": "false" });
    if (item.kind === "text") {
      stage.replaceChildren(el("blockquote", {}, plain(item.caption)));
    } else {
      const image = el("img", { alt: title_of(item), width: item.width || null, height: item.height || null, on: { error: () => {
        stage.replaceChildren(el("p", { class: "lost" }, icon("gone"), "The picture's file is not there any more, or cannot be read."));
      } } });
      // Small pictures are shown up to three times as large.
      image.style.maxWidth = `min(100%, ${Math.max(1, item.width || 2048) * 3}px)`;
      image.style.aspectRatio = item.width && item.height ? `${item.width} / ${item.height}` : "";
      stage.replaceChildren(image);
      const most = Math.max(item.width, item.height) || 2048;
      previews.show(image, item.id, Math.max(32, Math.min(2048, most, Math.max(640, preview_screen()))));
    }
  }

  const preview_screen = () => Math.ceil(Math.max(innerWidth, innerHeight) * Math.min(devicePixelRatio || 1, 2));

  function describe() {
    say(heading, title_of(item));
    const rows = [];
    const put = (name, value) => { if (value !== "" && value !== null && value !== undefined) rows.push([name, value]); };
    if (typeof item.score === "number") put("Score", `${item.score.toFixed(3)}${item.relevant === false ? " (below the cut-off)" : ""}`);
    if (item.kind === "picture") {
      put("File", plain(item.name));
      put("Path", plain(item.uri));
      if (item.width && item.height) put("Size", `${count(item.width)} × ${count(item.height)} px`);
    }
    if (item.size_bytes) put(item.kind === "picture" ? "On disk" : "Length", bytes(item.size_bytes));
    if (item.modified) put("Changed", date_text(item.modified));
    for (const [key, value] of Object.entries(item.metadata ?? {})) put(plain(key), plain(typeof value === "object" ? JSON.stringify(value) : value));
    put("Id", String(item.id));
    facts.replaceChildren(...rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, el("bdi", {}, value)))));
    show(crop, item.kind === "picture");
    show(previous, Boolean(near(item.id, -1)));
    show(next, Boolean(near(item.id, 1)));
    mark();
  }

  async function show_neighbours(signal) {
    const { collection } = store.get();
    neighbours.replaceChildren();
    const answer = await api.neighbours({ collection: collection || undefined, terms: [{ id: item.id }], limit: NEIGHBOURS + 1 }, signal);
    const others = answer.results.filter((other) => other.id !== item.id).slice(0, NEIGHBOURS);
    neighbours.replaceChildren(...others.map((other) => {
      const title = title_of(other);
      const inner = other.kind === "picture" ? el("img", { alt: title, loading: "lazy" }) : el("span", { class: "words" }, title);
      if (other.kind === "picture") previews.show(inner, other.id, preview_side(84, 84));
      return el("li", {}, el("a", { href: store.href({ item: other.id }), title, on: { click: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        store.set({ item: other.id }, { push: true });
      } } }, inner));
    }));
  }

  // known: the item where a list has it already.
  async function open(id, known) {
    loading?.abort();
    loading = new AbortController();
    const { signal } = loading;
    shown = id;
    say(note, "");
    if (!dialog.open) {
      before = document.activeElement;
      dialog.showModal();
      heading.focus({ preventScroll: true });
    }
    try {
      item = known ?? null;
      if (!item) {
        say(heading, "Opening…");
        stage.replaceChildren();
        facts.replaceChildren();
        item = await api.item(store.get().collection, id, signal);
      }
      draw();
      describe();
      await show_neighbours(signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (item) return say(note, `Its neighbours could not be found: ${error.message}`);
      say(heading, "Not there");
      stage.replaceChildren(el("p", { class: "lost" }, icon("gone"), error.kind === "missing" ? `The collection has no item ${id} any more.` : error.message));
    }
  }

  function shut() {
    loading?.abort();
    cropper = null;
    shown = item = null;
    if (dialog.open) dialog.close();
    if (before?.isConnected) before.focus({ preventScroll: true });
  }

  return {
    render(state, find) {
      if (state.item === null || state.tab !== "search") return dialog.open && shut();
      if (state.item !== shown) open(state.item, find(state.item));
    },
  };
}

export function bytes(size) {
  const units = ["bytes", "KB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, size)) / 3));
  return power === 0 ? `${size} bytes` : `${(size / 1000 ** power).toFixed(size < 10 * 1000 ** power ? 1 : 0)} ${units[power]}`;
}

function date_text(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? plain(text) : new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" }).format(date);
}
