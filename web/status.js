// What went wrong, said once and in words that help, and what is shown instead of results.
import { button, el, icon, say, set, show } from "./dom.js";

export function create_banner({ again }) {
  const text = el("p", {});
  const retry = button("Try again", "reset", again, {});
  const element = el("div", { class: "banner", role: "alert", hidden: true }, text, retry);
  return {
    element,
    render(error) {
      show(element, Boolean(error));
      if (!error) return;
      const wait = error.retryAfter > 1 ? `in ${error.retryAfter} s` : "in a moment";
      const words = {
        unreachable: `${error.message} Trying again every few seconds.`,
        busy: `The server is busy. Trying again ${wait}.`,
        draining: "The server is shutting down. Trying again until it is back.",
      };
      say(text, words[error.kind] ?? error.message);
      set(element, { class: `banner ${error.kind}` });
    },
  };
}

// "show_nearest", "clear_filters": what the buttons do.
export function create_empty({ show_nearest, clear_filters }) {
  const heading = el("h2", {});
  const text = el("p", {});
  const nearest = button("Show the nearest anyway", "search", show_nearest, { class: "primary" });
  const filters = button("Clear filters", "reset", clear_filters, {});
  const element = el("div", { class: "empty", hidden: true }, icon("search"), heading, text, el("div", { class: "row" }, nearest, filters));
  return {
    element,
    render(results, filtered, state) {
      const none = results.items.length === 0 && (results.status === "shown" || results.status === "nothing wanted");
      show(element, none);
      if (!none) return;
      const wanted = results.status !== "nothing wanted";
      const asked = wanted && !results.browsing;
      say(heading, !wanted ? "What should be there?" : asked ? "Nothing relevant here" : filtered ? "Nothing matches the filters" : "This collection is empty");
      say(text, !wanted ? "So far the query only says what should not. Add something you want to see."
        : asked ? (filtered ? "No picture that passes the filters is more like this than chance would have it." : "No picture is more like this than chance would have it. Other words may help.")
          : filtered ? "Other dates or values may." : "Add pictures with: tandem index FOLDER --to NAME.tandem");
      show(nearest, asked && state.least !== "all");
      show(filters, filtered);
    },
  };
}
