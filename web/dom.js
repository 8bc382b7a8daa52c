// Builds elements. What comes from a collection only ever becomes a text node or an attribute's value, never markup.

const SVG = "http://www.w3.org/2000/svg";

// el("button", {class: "pick", type: "button", on: {click}}, "Select"): attributes by their names; `true` is an attribute
// without a value, null, undefined and false leave it out.
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value === null || value === undefined || value === false) {
      element.removeAttribute(name);
    } else {
      const text = value === true ? "" : String(value);
      if (element.getAttribute(name) !== text) element.setAttribute(name, text);
    }
  }
  return element;
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
  return element;
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  return element;
}

// Control characters and those that turn the direction of what follows could make a name look like another.
const MISLEADING = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;
export function plain(text) {
  return String(text ?? "").replace(MISLEADING, " ").trim();
}

// 24 × 24, drawn with strokes.
const PATHS = {
  search: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM16.2 16.2 21 21",
  close: "M6 6l12 12M18 6 6 18",
  picture: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 2.5-2.5L20 18M15.5 9.5h.01",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  similar: "M4 4h9v9H4zM16 8h4v12H8v-4",
  crop: "M7 2v15h15M2 7h15v15",
  filter: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
  check: "M5 12.5l4.5 4.5L19 7.5",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1",
  help: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM9.4 9.6a2.6 2.6 0 1 1 4 2.2c-.9.6-1.4 1-1.4 2M12 16.8h.01",
  tag: "M4 4h8l8 8-8 8-8-8zM8 8h.01",
  export: "M12 4v11M7.5 10.5 12 15l4.5-4.5M5 20h14",
  text: "M5 6h14M5 11h14M5 16h9",
  gone: "M4 5h16v14H4zM4 19 20 5",
  stack: "M4 8h12v12H4zM8 4h12v12",
  reset: "M5 12a7 7 0 1 0 2.2-5M5 4v4h4",
  bars: "M4 6h14M4 12h9M4 18h5",
};
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["viewBox", "0 0 24 24"], ["class", "icon"], ["aria-hidden", "true"], ["focusable", "false"]]) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

// A button of an icon and, unless `quiet`, a word.
export function button(label, iconName, action, attributes = {}) {
  const { quiet, ...others } = attributes;
  return el(
    "button",
    { type: "button", "aria-label": quiet ? label : null, title: quiet ? label : null, ...others, on: { click: action } },
    iconName ? icon(iconName) : null,
    quiet ? null : el("span", {}, label),
  );
}

export const reduced_motion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
export const count = (number) => new Intl.NumberFormat("en").format(number);
export const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

// Calls `action` once it has not been asked for `ms`.
export function debounced(action, ms) {
  let timer = 0;
  const later = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), ms);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
