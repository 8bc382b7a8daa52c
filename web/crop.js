// Draws a rectangle on a picture: by pointer, by keys, or by numbers.
import { el, set } from "./dom.js";

const LEAST = 4; // percent
const STEP = 2;
const SIDES = [["left", "Left"], ["top", "Top"], ["width", "Width"], ["height", "Height"]];

// image: an <img>. actions: what stands below. Returns {element, region(): percent of the picture's sides, focus}.
export function create_cropper(image, { start, actions = [] } = {}) {
  let region = start ?? { left: 20, top: 20, width: 60, height: 60 };
  const frame = el("div", { class: "frame", tabindex: "0", role: "group", "aria-label": "Part of the picture. Arrow keys move it, with Shift they change its size.", on: { keydown: on_key } },
    ["nw", "ne", "sw", "se"].map((corner) => el("span", { class: `corner ${corner}`, "data-corner": corner })));
  const stage = el("div", { class: "cropper", on: { pointerdown: on_pointer } }, image, frame);
  const numbers = SIDES.map(([side, label]) => {
    const input = el("input", { type: "number", min: side === "left" || side === "top" ? 0 : LEAST, max: 100, step: 1, on: { change: () => {
      if (Number.isFinite(input.valueAsNumber)) put({ ...region, [side]: input.valueAsNumber });
    } } });
    return { side, input, node: el("label", {}, label, input, "%") };
  });
  const element = el("div", { class: "crop" }, stage, el("div", { class: "numbers" }, numbers.map(({ node }) => node)), el("div", { class: "row" }, actions));

  function put({ left, top, width, height }) {
    const w = Math.min(100, Math.max(LEAST, width));
    const h = Math.min(100, Math.max(LEAST, height));
    region = { left: Math.min(100 - w, Math.max(0, left)), top: Math.min(100 - h, Math.max(0, top)), width: w, height: h };
    for (const side of ["left", "top", "width", "height"]) frame.style[side] = `${region[side]}%`;
    for (const { side, input } of numbers) input.value = String(Math.round(region[side]));
  }

  function on_key(event) {
    const [across, down] = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key] ?? [];
    if (across === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.shiftKey) put({ ...region, width: region.width + across, height: region.height + down });
    else put({ ...region, left: region.left + across, top: region.top + down });
  }

  function on_pointer(down) {
    if (down.button !== 0) return;
    down.preventDefault();
    const box = stage.getBoundingClientRect();
    const at = (event) => ({ x: clamp(((event.clientX - box.left) / box.width) * 100), y: clamp(((event.clientY - box.top) / box.height) * 100) });
    const from = at(down);
    const before = region;
    const { corner } = down.target.dataset;
    const inside = down.target === frame;
    // From a corner the opposite one stays; from elsewhere a new rectangle begins.
    const fixed = corner ? { x: before.left + (corner.includes("w") ? before.width : 0), y: before.top + (corner.includes("n") ? before.height : 0) } : from;
    const move = (event) => {
      const to = at(event);
      if (inside) return put({ ...before, left: before.left + to.x - from.x, top: before.top + to.y - from.y });
      put({ left: Math.min(fixed.x, to.x), top: Math.min(fixed.y, to.y), width: Math.abs(to.x - fixed.x), height: Math.abs(to.y - fixed.y) });
    };
    const up = () => {
      stage.removeEventListener("pointermove", move);
      frame.focus({ preventScroll: true });
    };
    stage.setPointerCapture(down.pointerId);
    stage.addEventListener("pointermove", move);
    stage.addEventListener("pointerup", up, { once: true });
    stage.addEventListener("pointercancel", up, { once: true });
  }

  const clamp = (value) => Math.min(100, Math.max(0, value));
  set(image, { draggable: "false" });
  put(region);
  return { element, region: () => region, focus: () => frame.focus() };
}
