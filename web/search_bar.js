// The box that is typed in, and the chips that its terms become.
import { button, el, icon, plain, say, set, show } from "./dom.js";
import { label_of, MOST_TERMS, split_typed, UNWANTED, WANTED, weight_text } from "./terms.js";

const STEP = 0.25;
const MOST = 4;

export function create_search_bar({ store, previews, pick_files, crop_term }) {
  let dragged = null; // which chip
  const chips = el("ul", { class: "chips", "aria-label": "Terms", hidden: true });
  const sign = el("button", { type: "button", class: "sign", hidden: true, on: { click: () => {
    store.set({ sign: -store.get().sign });
    box.focus();
  } } });
  const box = el("input", {
    type: "text", class: "box", id: "query", name: "query", "aria-label": "Describe what you are looking for", autocomplete: "off",
    autocapitalize: "none", spellcheck: "false", enterkeyhint: "search", maxlength: "1000",
    on: { input: typed, keydown: on_key, paste: pasted },
  });
  const clear = button("Clear the search", "close", () => { store.set({ terms: [], text: "", sign: 1, least: null }, { push: true }); box.focus(); },
    { quiet: true, class: "plain clear", hidden: true });
  const file = el("input", { type: "file", accept: "image/*", multiple: true, hidden: true, "aria-label": "Pictures to search by", on: { change: () => {
    pick_files([...file.files]);
    file.value = "";
  } } });
  const field = el("div", { class: "field", on: { click: (event) => { if (event.target === field) box.focus(); } } },
    icon("search"), chips, sign, box, clear,
    button("Search by a picture", "picture", () => file.click(), { quiet: true, class: "plain pick-picture" }), file);
  const form = el("form", { role: "search", class: "search", on: { submit: (event) => { event.preventDefault(); commit(); } } }, field);

  // Signs between white space end a term; what was before them becomes chips.
  function typed() {
    performance.mark("tandem:typed");
    const { terms, sign: next, rest } = split_typed(box.value, store.get().sign);
    const patch = { text: rest, sign: next, least: null };
    if (terms.length) patch.terms = [...store.get().terms, ...terms].slice(0, MOST_TERMS);
    store.set(patch);
  }

  function pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])].filter((each) => each.type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    pick_files(files);
  }

  function commit() {
    const { terms, text, sign: now } = store.get();
    if (!text.trim() || (terms.length === 0 && now > 0)) return;
    const { terms: added, rest } = split_typed(`${text} + `, now);
    store.set({ terms: [...terms, ...added].slice(0, MOST_TERMS), text: rest, sign: 1 });
  }

  function on_key(event) {
    const { terms, sign: now } = store.get();
    if (event.key === "Backspace" && box.value === "") {
      if (now < 0) store.set({ sign: 1 });
      else if (terms.length) {
        event.preventDefault();
        const last = terms.at(-1);
        const back = last.kind === "text" ? { text: last.text, sign: Math.sign(last.weight) } : {};
        store.set({ terms: terms.slice(0, -1), least: null, ...back });
      }
    } else if (event.key === "ArrowLeft" && box.selectionStart === 0 && box.selectionEnd === 0 && terms.length) {
      event.preventDefault();
      chips.lastChild.querySelector(".weight").focus();
    } else if (event.key === "Escape" && box.value) {
      event.stopPropagation();
      store.set({ text: "", least: null });
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      document.querySelector(".grid a[tabindex='0']")?.focus();
    }
  }

  const change = (at, patch) => store.set({ terms: store.get().terms.map((term, index) => (index === at ? { ...term, ...patch } : term)), least: null });
  function remove(at) {
    store.set({ terms: store.get().terms.filter((_, index) => index !== at), least: null }, { push: true });
    box.focus();
  }
  const weigh = (at, size) => {
    const { weight } = store.get().terms[at];
    const least = STEP;
    change(at, { weight: Math.sign(weight) * Math.min(MOST, Math.max(least, Math.round(size / STEP) * STEP)) });
  };

  function chip_of(term, at) {
    const name = plain(label_of(term));
    const wanted = term.weight > 0;
    const flip = button(wanted ? `Wanted: ${name}. Make it unwanted` : `Unwanted: ${name}. Make it wanted`, wanted ? "plus" : "minus",
      () => { change(at, { weight: wanted ? UNWANTED : WANTED }); chips.children[at]?.querySelector(".flip").focus(); }, { quiet: true, class: "flip" });
    const size = Math.abs(term.weight);
    const weight = el("span", {
      class: "weight", role: "slider", tabindex: "0", "aria-label": `Weight of ${name}`, "aria-valuemin": STEP, "aria-valuemax": MOST,
      "aria-valuenow": size, "aria-valuetext": `${size}`, title: "Drag sideways, or use the arrow keys, to change the weight",
    }, picture_of(term), el("span", { class: "label" }, name), el("span", { class: "factor" }, weight_text(term)));
    weight.addEventListener("keydown", (event) => {
      const step = { ArrowRight: STEP, ArrowUp: STEP, ArrowLeft: -STEP, ArrowDown: -STEP }[event.key];
      if (step) weigh(at, size + step);
      else if (event.key === "Home") weigh(at, STEP);
      else if (event.key === "End") weigh(at, MOST);
      else if (event.key === "Delete" || event.key === "Backspace") remove(at);
      else if (event.key === "-" || event.key === "+") change(at, { weight: event.key === "-" ? -size : size });
      else return;
      event.preventDefault();
      event.stopPropagation();
      chips.children[at]?.querySelector(".weight").focus();
    });
    drag(weight, at);
    return el("li", { class: `chip ${wanted ? "wanted" : "unwanted"}` }, flip, weight,
      term.kind === "text" || term.copied ? null
        : button(`Search by a part of ${name}`, "crop", () => crop_term(at), { quiet: true, class: "part" }),
      button(`Remove ${name}`, "close", () => remove(at), { quiet: true, class: "remove" }));
  }

  function picture_of(term) {
    if (term.kind === "text") return null;
    const image = el("img", { class: "thumb", alt: "" });
    if (term.kind === "picture") image.src = term.small || term.source;
    else previews.show(image, term.id, 160);
    return image;
  }

  function drag(handle, at) {
    handle.addEventListener("pointerdown", (down) => {
      const from = Math.abs(store.get().terms[at].weight);
      let moved = false;
      dragged = at;
      const move = (event) => {
        const away = event.clientX - down.clientX;
        if (!moved && Math.abs(away) < 6) return;
        moved = true;
        weigh(at, from + away / 60);
      };
      const up = () => {
        removeEventListener("pointermove", move);
        removeEventListener("pointerup", up);
        removeEventListener("pointercancel", up);
        dragged = null;
        draw_chips(store.get().terms);
        chips.children[at]?.querySelector(".weight").focus();
      };
      addEventListener("pointermove", move);
      addEventListener("pointerup", up);
      addEventListener("pointercancel", up);
      down.preventDefault();
    });
  }

  function draw_chips(terms) {
    chips.replaceChildren(...terms.map(chip_of));
    show(chips, terms.length > 0);
  }

  function render(state, previous) {
    if (box.value !== state.text) box.value = state.text;
    // What is being dragged stays the same element until it is let go.
    if (dragged !== null) say(chips.children[dragged].querySelector(".factor"), weight_text(state.terms[dragged]));
    else if (state.terms !== previous?.terms) draw_chips(state.terms);
    show(sign, state.terms.length > 0 || state.sign < 0);
    const wanted = state.sign > 0;
    sign.replaceChildren(icon(wanted ? "plus" : "minus"));
    set(sign, { class: `sign ${wanted ? "wanted" : "unwanted"}`, "aria-label": wanted ? "What you type is wanted. Make it unwanted" : "What you type is unwanted. Make it wanted" });
    show(clear, state.terms.length > 0 || state.text !== "");
    set(box, { placeholder: state.terms.length || state.sign < 0 ? (wanted ? "and…" : "but not…") : "Describe a picture, or drop one here" });
  }

  return { element: form, render, focus: () => { box.focus(); box.select(); }, box };
}
