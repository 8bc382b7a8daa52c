// The results as tiles: laid out by layout.js, kept from answer to answer by their id, moved through with the arrow keys.
import { button, el, icon, plain, plural, say, set, show } from "./dom.js";
import { DIVIDER_HEIGHT, empty_layout, place } from "./layout.js";

const HOLD_MS = 450;
const SIDES = [160, 240, 320, 480, 640, 960];

// The preview's longer side for a tile: at least its pixels on this screen.
export function preview_side(width, height) {
  const pixels = Math.max(width, height) * Math.min(devicePixelRatio || 1, 2);
  return SIDES.find((side) => side >= pixels * 0.9) ?? SIDES.at(-1);
}

export const title_of = (item) => plain(item.caption) || plain(item.name) || `#${item.id}`;

// actions: open(item), similar(item), select(item, {range}), expand(item); previews: show(img, id, side); href(id).
export function create_grid({ actions, previews, href, selected, near_end }) {
  const list = el("ul", { class: "grid", "aria-label": "Results" });
  const tiles = new Map(); // id: {node, item, link, picture, …}
  let items = [];
  let boxes = [];
  let layout = null;
  let current = null; // id of the tile that Tab reaches
  const dividers = [];
  // On touch screens a tile that is held is selected, and while some are, tapping selects more.
  let touched = false;
  let held = false;
  let holding = 0;

  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watch.unobserve(entry.target);
      load(tiles.get(Number(entry.target.dataset.id)));
    }
  }, { rootMargin: "400px 0px" });

  function load(tile) {
    if (!tile?.picture || !tile.box) return;
    const side = preview_side(tile.box.width, tile.box.height);
    if (tile.side >= side) return;
    tile.side = side;
    previews.show(tile.picture, tile.item.id, side);
  }

  function create_tile(item) {
    const tile = { item, side: 0 };
    const title = title_of(item);
    if (item.kind === "picture") {
      tile.picture = el("img", { alt: title, decoding: "async", draggable: "false", on: {
        error: () => { if (tile.picture.getAttribute("src")) tile.node.classList.add("gone"); },
        load: () => tile.node.classList.remove("gone"),
      } });
    }
    tile.link = el("a", { class: "open", tabindex: "-1", on: { click: (event) => {
      if (event.ctrlKey || event.metaKey || event.button !== 0) return;
      event.preventDefault();
      if (held) held = false;
      else if (event.shiftKey) actions.select(tile.item, { range: true });
      else if (touched && selected.size) actions.select(tile.item, {});
      else actions.open(tile.item);
    } } }, tile.picture ?? el("span", { class: "words" }, plain(item.caption)));
    const point = () => set(tile.link, { href: href(item.id) });
    point();
    tile.link.addEventListener("pointerdown", (event) => {
      point();
      touched = event.pointerType === "touch";
      held = false;
      clearTimeout(holding);
      if (touched) holding = setTimeout(() => { held = true; actions.select(tile.item, {}); }, HOLD_MS);
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) tile.link.addEventListener(end, () => clearTimeout(holding));
    tile.link.addEventListener("contextmenu", (event) => { if (touched) event.preventDefault(); });
    tile.pick = el("button", { type: "button", class: "pick", role: "checkbox", "aria-checked": "false", tabindex: "-1",
      "aria-label": `Select ${title}`, on: { click: (event) => actions.select(tile.item, { range: event.shiftKey }) } }, icon("check"));
    tile.stack = el("button", { type: "button", class: "stack", tabindex: "-1", hidden: true, on: { click: () => actions.expand(tile.item) } });
    tile.node = el("li", { class: `tile ${item.kind}`, "data-id": item.id },
      tile.link, tile.picture ? el("span", { class: "caption", "aria-hidden": "true" }, title) : null, tile.pick,
      button(`Find similar to ${title}`, "similar", () => actions.similar(tile.item), { quiet: true, class: "similar", tabindex: "-1" }), tile.stack);
    tile.node.addEventListener("focusin", () => enter(item.id));
    return tile;
  }

  function update_tile(tile, item) {
    tile.item = item;
    const more = item.duplicates?.length ?? 0;
    show(tile.stack, more > 0);
    if (more > 0) {
      say(tile.stack, item.expanded ? "−" : `+${more}`);
      set(tile.stack, { "aria-label": item.expanded ? "Hide near-duplicates" : `Show ${plural(more, "near-duplicate", "near-duplicates")}`,
        "aria-expanded": String(Boolean(item.expanded)), title: item.expanded ? "Hide near-duplicates" : `${plural(more, "near-duplicate", "near-duplicates")}` });
    }
    tile.node.classList.toggle("twin", item.twin_of !== undefined);
    tile.node.classList.toggle("unlikely", item.relevant === false);
    mark(tile);
  }

  function mark(tile) {
    const on = selected.has(tile.item.id);
    set(tile.pick, { "aria-checked": String(on) });
    tile.node.classList.toggle("selected", on);
  }

  function put(tile, box) {
    tile.box = box;
    const { style } = tile.node;
    style.transform = `translate(${box.left}px, ${box.top}px)`;
    style.width = `${box.width}px`;
    style.height = `${box.height}px`;
  }

  // Lays out items from `first` on; their tiles come into the document in order.
  function render(first) {
    const { boxes: placed, bottom } = place(layout, items.slice(first));
    boxes.length = first;
    boxes.push(...placed);
    for (let at = first; at < items.length; ++at) {
      const item = items[at];
      let tile = tiles.get(item.id);
      if (!tile) tiles.set(item.id, tile = create_tile(item));
      update_tile(tile, item);
      put(tile, boxes[at]);
      const after = at === 0 ? list.firstChild : tiles.get(items[at - 1].id).node.nextSibling;
      if (tile.node !== after) list.insertBefore(tile.node, after);
      if (tile.picture && tile.side < preview_side(tile.box.width, tile.box.height)) watch.observe(tile.node);
    }
    list.style.height = `${bottom}px`;
    draw_dividers();
    if (items.length) enter(items.some((item) => item.id === current) ? current : items[0].id);
  }

  function draw_dividers() {
    while (dividers.length > layout.dividers.length) dividers.pop().remove();
    layout.dividers.forEach(({ top }, at) => {
      if (!dividers[at]) dividers[at] = el("li", { class: "divider" }, "Less likely");
      dividers[at].style.transform = `translateY(${top}px)`;
      dividers[at].style.height = `${DIVIDER_HEIGHT}px`;
      list.append(dividers[at]);
    });
  }

  function enter(id) {
    const before = tiles.get(current);
    if (before) set(before.link, { tabindex: "-1" });
    current = id;
    const tile = tiles.get(id);
    if (tile) set(tile.link, { tabindex: "0" });
  }

  function focus(id) {
    const tile = tiles.get(id);
    if (!tile) return;
    enter(id);
    tile.link.focus({ preventScroll: true });
    tile.node.scrollIntoView({ block: "nearest" });
  }

  // The tile one row up or down whose middle is nearest.
  function beside(at, down) {
    const from = boxes[at];
    const middle = from.left + from.width / 2;
    let best = -1;
    let distance = Infinity;
    for (let other = at; other >= 0 && other < boxes.length; other += down ? 1 : -1) {
      const box = boxes[other];
      if (box.top === from.top) continue;
      if (best >= 0 && box.top !== boxes[best].top) break;
      const away = Math.abs(box.left + box.width / 2 - middle);
      if (away < distance) [best, distance] = [other, away];
    }
    return best;
  }

  function on_key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = items.findIndex((item) => item.id === current);
    const tile = tiles.get(current);
    if (at < 0 || !tile?.node.contains(event.target)) return;
    const target = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: beside(at, false), ArrowDown: beside(at, true), Home: 0, End: items.length - 1 }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      if (!items[target]) {
        if (event.key === "ArrowUp") window.scrollTo({ top: 0 });
        return;
      }
      if (event.shiftKey) for (const item of [items[at], items[target]]) actions.select(item, { on: true });
      focus(items[target].id);
      if (target > items.length - 20) near_end();
    } else if (event.key === "x" || event.key === " ") {
      event.preventDefault();
      actions.select(items[at], {});
    } else if (event.key === "s") {
      event.preventDefault();
      actions.similar(items[at]);
    } else if (event.key === "d" && items[at].duplicates?.length) {
      event.preventDefault();
      actions.expand(items[at]);
    }
  }
  list.addEventListener("keydown", on_key);

  const resized = new ResizeObserver(() => {
    const width = list.clientWidth;
    if (!width || (layout && Math.abs(width - layout.width) < 1)) return;
    layout = empty_layout(width);
    render(0);
  });
  resized.observe(list);

  // Tiles of rows that are gone leave; those of rows that stay keep their pictures.
  function show_items(next, { more = false } = {}) {
    const first = more ? layout?.settled ?? 0 : 0;
    items = next;
    if (!more) {
      const kept = new Set(items.map((item) => item.id));
      for (const [id, tile] of tiles) {
        if (kept.has(id)) continue;
        watch.unobserve(tile.node);
        previews.forget(tile.picture);
        tile.node.remove();
        tiles.delete(id);
      }
      layout = list.clientWidth ? empty_layout(list.clientWidth) : null; // hidden: laid out once it is seen
    }
    if (layout) render(first);
  }

  return {
    element: list,
    show: show_items,
    items: () => items,
    focus,
    focus_first: () => items.length && focus(items[0].id),
    refresh_marks: () => tiles.forEach(mark),
    page_size: () => {
      const width = list.clientWidth || innerWidth;
      const { row_height } = empty_layout(width);
      return Math.min(100, Math.max(24, Math.ceil((width / row_height) * (innerHeight * 1.5 / row_height))));
    },
  };
}
