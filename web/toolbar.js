// The line between the box and the results: how many there are, how relevant they must be, their order.
import { button, count, el, plural, say, set, show } from "./dom.js";
import { SORTS } from "./state.js";

export function create_toolbar({ store, search, collection }) {
  const summary = el("p", { class: "summary", role: "status" });
  const slider = el("input", { type: "range", id: "relevance", "aria-label": "Relevance", min: "0", max: "1000", step: "1", on: { input: moved } });
  const tick = el("span", { class: "tick", "aria-hidden": "true" });
  const reset = button("Back to the measured cut-off", "reset", () => { store.set({ least: null }); slider.focus(); }, { quiet: true, class: "plain reset" });
  const relevance = el("div", { class: "relevance", hidden: true }, el("label", { for: "relevance" }, "Relevance"),
    el("span", { class: "track" }, slider, tick), reset);
  const sort = el("select", { id: "sort", on: { change: () => store.set({ sort: sort.value }) } },
    SORTS.map((name) => el("option", { value: name }, { relevance: "Most relevant", newest: "Newest", oldest: "Oldest" }[name])));
  const order = el("label", { class: "order", for: "sort" }, el("span", { class: "visually-hidden" }, "Order"), sort);
  const filters = button("Filters", "filter", () => store.set({ filters: !store.get().filters }), { class: "filters-button", "aria-controls": "filters" });
  const active = el("span", { class: "badge", hidden: true });
  filters.append(active);
  const element = el("div", { class: "toolbar" }, filters, summary, el("span", { class: "gap" }), relevance, order);

  // The slider goes from what an average row scores to the best row of this question.
  let range = null;

  function moved() {
    if (!range) return;
    const value = Number(slider.value);
    const score = range.low + ((range.high - range.low) * value) / 1000;
    store.set({ least: value === 0 ? "all" : Number(score.toFixed(4)) });
  }

  function range_of(results) {
    const { answer } = results;
    if (results.browsing || !answer || answer.cut_off === null || answer.cut_off === undefined) return null;
    const deviation = answer.deviation || 0.05;
    const best = Math.max(...results.items.slice(0, 200).map((item) => item.score), answer.cut_off + 2 * deviation);
    return { low: Math.min(answer.mean ?? answer.cut_off, answer.cut_off - 2 * deviation), high: best + 0.05 * deviation, cut: answer.cut_off };
  }

  function render_results(results, state) {
    const next = range_of(results);
    // While it is being dragged its ends stay where they are.
    if (!next || !range || document.activeElement !== slider || state.least === null) range = next;
    show(relevance, range !== null);
    if (range) {
      const at = (score) => Math.round(Math.max(0, Math.min(1, (score - range.low) / (range.high - range.low))) * 1000);
      const value = state.least === "all" ? 0 : at(state.least ?? range.cut);
      if (document.activeElement !== slider || Math.abs(Number(slider.value) - value) > 2) slider.value = String(value);
      tick.style.left = `calc(8px + (100% - 16px) * ${at(range.cut) / 1000})`;
      const passed = state.least === "all" ? "everything" : state.least === null ? "the measured cut-off" : `at least ${state.least.toFixed(3)}`;
      set(slider, { "aria-valuetext": passed });
      reset.classList.toggle("off", state.least === null);
    }
    say(summary, summary_of(results, state));
    show(order, !results.browsing);
  }

  function summary_of(results, state) {
    const { answer, browsing } = results;
    if (!answer) return "";
    const all = collection()?.items ?? 0;
    if (browsing) {
      const total = answer.total ?? results.items.length;
      const filtered = total < all ? ` of ${count(all)}` : "";
      return total === 0 ? "Nothing matches the filters" : `${count(total)}${filtered}, newest first`;
    }
    if (answer.cut_off === null || answer.cut_off === undefined) return `${plural(answer.total, "nearest picture", "nearest pictures")} of ${count(all)}`;
    const most = answer.relevant >= 1000 ? "1,000 or more" : count(answer.relevant);
    const relevant = answer.relevant === 0 ? `Nothing relevant of ${count(all)}` : `${most} relevant of ${count(all)}`;
    return state.least === null ? relevant : `${relevant} · showing ${count(answer.total)}`;
  }

  function render(state) {
    sort.value = state.sort;
    set(filters, { "aria-expanded": String(state.filters) });
    const number = [state.kind, state.size, state.from, state.to, !state.collapse].filter(Boolean).length + Object.values(state.metadata).reduce((sum, values) => sum + values.length, 0);
    say(active, String(number));
    show(active, number > 0);
  }

  return { element, render, render_results, waiting: (on) => element.classList.toggle("waiting", on) };
}
