// Everything that an address restores, and the address. It is kept in the fragment (#…), which browsers send to no server.
import { from_text, to_text, MOST_TERMS } from "./terms.js";

export const SORTS = ["relevance", "newest", "oldest"];
const TABS = ["search", "classify"];

export const initial = () => ({
  tab: "search",
  collection: "", // empty: the first
  terms: [], // chips
  text: "", // in the box
  sign: 1, // of the box's text
  kind: "", // "picture", "text", or both
  size: "", // "small", "medium", "large"
  from: "", // dates
  to: "",
  metadata: {}, // field: values, any of which will do
  least: null, // null: the calibrated cut-off; "all"; a score
  sort: "relevance",
  collapse: true,
  filters: false, // whether they are shown
  item: null, // opened
  labels: [], // of the classify tab
  subjects: [], // ids that it judges
});

export function to_fragment(state) {
  const parts = new URLSearchParams();
  const plain = initial();
  const put = (name, value, usual) => { if (value !== usual) parts.append(name, value); };
  put("tab", state.tab, plain.tab);
  put("c", state.collection, "");
  for (const term of state.terms) parts.append("t", to_text(term));
  put("q", state.text.trim(), "");
  if (state.sign < 0 && state.text.trim()) parts.append("sign", "-");
  put("kind", state.kind, "");
  put("size", state.size, "");
  put("from", state.from, "");
  put("to", state.to, "");
  if (Object.keys(state.metadata).length) parts.append("meta", JSON.stringify(state.metadata));
  put("least", state.least === null ? "" : String(state.least), "");
  put("sort", state.sort, plain.sort);
  if (!state.collapse) parts.append("all", "1");
  if (state.filters) parts.append("panel", "1");
  put("item", state.item === null ? "" : String(state.item), "");
  for (const label of state.labels) parts.append("label", label);
  put("of", state.subjects.join("."), "");
  return parts.toString();
}

// Whatever makes no sense is left out.
export function from_fragment(fragment) {
  const parts = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = initial();
  const one_of = (name, values) => (values.includes(parts.get(name)) ? parts.get(name) : values[0]);
  const date = (name) => (/^\d{4}-\d{2}-\d{2}$/.test(parts.get(name) ?? "") ? parts.get(name) : "");
  state.tab = one_of("tab", TABS);
  state.collection = (parts.get("c") ?? "").slice(0, 200);
  state.terms = parts.getAll("t").slice(0, MOST_TERMS).map(from_text).filter(Boolean);
  state.text = (parts.get("q") ?? "").slice(0, 1000);
  state.sign = parts.get("sign") === "-" ? -1 : 1;
  state.kind = one_of("kind", ["", "picture", "text"]);
  state.size = one_of("size", ["", "small", "medium", "large"]);
  state.from = date("from");
  state.to = date("to");
  state.metadata = metadata_of(parts.get("meta"));
  const least = parts.get("least");
  state.least = least === "all" ? "all" : least !== null && Number.isFinite(Number(least)) && least !== "" ? Number(least) : null;
  state.sort = one_of("sort", SORTS);
  state.collapse = parts.get("all") !== "1";
  state.filters = parts.get("panel") === "1";
  state.item = id_of(parts.get("item") ?? "");
  state.labels = parts.getAll("label").map((label) => label.trim().slice(0, 200)).filter(Boolean).slice(0, 200);
  state.subjects = (parts.get("of") ?? "").split(".").map(id_of).filter((id) => id !== null).slice(0, 200);
  return state;
}

const id_of = (text) => (/^\d{1,18}$/.test(text) ? Number(text) : null);

function metadata_of(text) {
  const found = {};
  try {
    for (const [field, values] of Object.entries(JSON.parse(text ?? "{}"))) {
      const usable = Array.isArray(values) ? values.filter((value) => ["string", "number", "boolean"].includes(typeof value)) : [];
      if (usable.length) found[field] = usable.slice(0, 50);
    }
  } catch { /* not ours */ }
  return found;
}

// The state and who wants to know of it. A change is written to the address: as a new entry of the history where going back
// should undo it (`push`), else over the present one, and then not at every keystroke: browsers limit how often.
export function create_store() {
  let state = from_fragment(location.hash);
  let written = location.hash;
  const listeners = [];
  let timer = 0;

  function write(push) {
    clearTimeout(timer);
    const fragment = to_fragment(state);
    const address = fragment ? `#${fragment}` : `${location.pathname}${location.search}`;
    if (fragment === written.replace(/^#/, "")) return;
    written = fragment;
    history[push ? "pushState" : "replaceState"](null, "", address);
  }

  function tell(previous) {
    for (const listener of listeners) listener(state, previous);
  }

  // Back, forward, and addresses typed over the present one. Pictures that were dropped are still here in full.
  addEventListener("popstate", () => {
    clearTimeout(timer);
    const previous = state;
    written = location.hash.replace(/^#/, "");
    state = from_fragment(location.hash);
    for (const term of state.terms) {
      const known = previous.terms.find((other) => to_text(other).split(":").slice(1).join() === to_text(term).split(":").slice(1).join());
      if (known) Object.assign(term, { ...known, weight: term.weight });
    }
    tell(previous);
  });

  return {
    get: () => state,
    listen: (listener) => listeners.push(listener),
    // The address of the state with `patch` on it.
    href: (patch) => `./#${to_fragment({ ...state, ...patch })}`,
    set(patch, { push = false } = {}) {
      const previous = state;
      if (push) write(false);
      state = { ...state, ...patch };
      if (push) write(true);
      else {
        clearTimeout(timer);
        timer = setTimeout(() => write(false), 250);
      }
      tell(previous);
    },
  };
}
