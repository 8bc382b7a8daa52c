// The second tab: words become labels, and bars say which fits a picture best.
import { button, debounced, el, icon, plain, plural, say, set, show } from "./dom.js";
import { title_of } from "./grid.js";

const AT_ONCE = 16; // pictures a request
const BARS = 6;
const EXAMPLES = ["animal", "food", "person", "vehicle", "building", "plant"];

export const labels_of = (text) => [...new Set(text.split(/[,\n]/).map((label) => label.trim()).filter(Boolean))].slice(0, 200);

export function create_classify({ api, store, previews, collection, pick_files }) {
  let dropped = []; // picture terms of this page, not in the address
  const items = new Map(); // id: item
  let running = null;

  const box = el("textarea", { id: "labels", rows: "3", spellcheck: "false", placeholder: "dog, cat, fire engine", "aria-describedby": "labels-hint", on: {
    input: () => store.set({ labels: labels_of(box.value) }),
  } });
  const example = button(`Try ${EXAMPLES.slice(0, 3).join(", ")}…`, null, () => store.set({ labels: EXAMPLES }), { class: "link" });
  const file = el("input", { type: "file", accept: "image/*", multiple: true, hidden: true, "aria-label": "Pictures to classify", on: { change: () => {
    pick_files([...file.files]);
    file.value = "";
  } } });
  const add = button("Choose pictures", "picture", () => file.click(), {});
  const clear = button("Remove all", "close", () => { dropped = []; store.set({ subjects: [] }); }, { class: "plain" });
  const note = el("p", { class: "hint", role: "status" });
  const cards = el("ul", { class: "cards", "aria-label": "Answers" });
  const empty = el("div", { class: "empty" }, icon("bars"), el("h2", {}, "Which words fit a picture?"),
    el("p", {}, "Drop or paste pictures here, or select some in the search and press Classify. Then type labels."));
  const element = el("section", { class: "classify", "aria-label": "Classify", hidden: true },
    el("div", { class: "labels" }, el("label", { for: "labels" }, "Labels"), box, el("p", { class: "hint", id: "labels-hint" }, "Separated by commas or lines."),
      el("div", { class: "row" }, add, clear, example, file), note), empty, cards);

  const subjects = () => [
    ...store.get().subjects.map((id) => ({ key: `#${id}`, id, item: items.get(id) })),
    ...dropped.map((term, at) => ({ key: `!${at}`, term, at })),
  ];

  function card_of(subject) {
    const { item, term, id } = subject;
    const title = term ? plain(term.name) : item ? title_of(item) : `#${id}`;
    let picture;
    if (item?.kind === "text") picture = el("span", { class: "words" }, title);
    else {
      picture = el("img", { alt: "", class: "subject" });
      if (term) picture.src = term.source;
      else previews.show(picture, id, 320);
    }
    const bars = el("ol", { class: "bars", "aria-label": `Labels of ${title}` });
    const remove = button(`Remove ${title}`, "close", () => {
      if (term) { dropped = dropped.filter((other) => other !== term); render(store.get()); } else store.set({ subjects: store.get().subjects.filter((other) => other !== id) });
    }, { quiet: true, class: "plain" });
    return { subject, bars, node: el("li", { class: "card" }, picture, el("div", { class: "answer" }, el("h2", {}, title), bars), remove) };
  }

  function fill(card, labels) {
    card.bars.replaceChildren(...labels.slice(0, BARS).map(({ label, cosine, probability }, at) => {
      const bar = el("span", { class: "bar", "aria-hidden": "true" });
      bar.style.width = `${Math.max(0.5, probability * 100)}%`;
      return el("li", { class: at === 0 ? "best" : "", title: `cosine ${cosine.toFixed(3)}` }, el("span", { class: "name" }, plain(label)),
        el("span", { class: "part" }, bar), el("span", { class: "number" }, `${(probability * 100).toFixed(probability < 0.0995 ? 1 : 0)} %`));
    }));
  }

  let shown = [];
  const judge = debounced(run, 150);

  async function run() {
    running?.abort();
    const mine = running = new AbortController();
    const { labels, collection: name } = store.get();
    if (labels.length === 0 || shown.length === 0) return;
    try {
      for (let at = 0; at < shown.length; at += AT_ONCE) {
        const part = shown.slice(at, at + AT_ONCE);
        for (const kind of ["id", "term"]) {
          const cards_of_kind = part.filter(({ subject }) => subject[kind] !== undefined);
          if (!cards_of_kind.length) continue;
          const body = kind === "id" ? { collection: name || undefined, ids: cards_of_kind.map(({ subject }) => subject.id) }
            : { model: collection()?.model, pictures: cards_of_kind.map(({ subject }) => subject.term.source) };
          const { results } = await api.classify({ ...body, labels }, mine.signal);
          cards_of_kind.forEach((card, index) => fill(card, results[index].labels));
        }
      }
      say(note, labels.length === 1 ? "One label always fits best: add another." : "The bars say which of these labels fits best, not whether any does.");
    } catch (error) {
      if (error.name !== "AbortError") say(note, error.message);
    }
  }

  async function find_items(ids) {
    await Promise.all(ids.filter((id) => !items.has(id)).map(async (id) => {
      try {
        items.set(id, await api.item(store.get().collection, id));
      } catch { /* its card says its number */ }
    }));
  }

  function render(state, previous) {
    show(element, state.tab === "classify");
    if (state.tab !== "classify") return;
    if (document.activeElement !== box) box.value = state.labels.join(", ");
    const list = subjects();
    show(empty, list.length === 0);
    show(clear, list.length > 0);
    show(example, state.labels.length === 0);
    const key = list.map((each) => each.key + (each.term?.name ?? "") + Boolean(each.item)).join();
    if (key !== cards.dataset.key || state.collection !== previous?.collection) {
      cards.dataset.key = key;
      shown = list.map(card_of);
      cards.replaceChildren(...shown.map(({ node }) => node));
      const unknown = state.subjects.filter((id) => !items.has(id));
      if (unknown.length) find_items(unknown).then(() => render(store.get(), store.get()));
    }
    if (state.labels.length === 0) for (const { bars } of shown) bars.replaceChildren();
    judge();
  }

  return {
    element,
    render,
    // Pictures dropped while this tab is shown.
    add(terms) {
      dropped = [...dropped, ...terms].slice(-64);
      render(store.get(), store.get());
      say(note, `${plural(dropped.length, "picture", "pictures")} added. Pictures from your disk are not part of the link.`);
    },
    know: (list) => { for (const item of list) items.set(item.id, item); },
    focus: () => box.focus(),
  };
}
