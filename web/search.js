// Turns the state into questions for the server and keeps what it answered. One question at a time: a newer one ends the older.
import { read_term, to_request, to_text } from "./terms.js";
import { ApiError } from "./api.js";

const QUIET_MS = 60; // between keystrokes of one word; the first keystroke after a pause does not wait
const PAGE = 100;
const FACETS = 12;
export const COLLAPSE_ABOVE = 0.97;

export function terms_of(state) {
  const typed = read_term(state.text, state.sign);
  return typed ? [...state.terms, typed] : state.terms;
}

// Terms, but only unwanted ones: the server refuses that.
function nothing_wanted(state) {
  const terms = terms_of(state);
  return terms.length > 0 && terms.every((term) => term.weight < 0);
}

// The condition that the filters state, in the server's grammar; undefined: none.
export function filter_of(state) {
  const all = [];
  if (state.kind) all.push({ kind: state.kind });
  const side = { small: { lt: 500 }, medium: { gte: 500, lt: 2000 }, large: { gte: 2000 } }[state.size];
  if (side) all.push({ kind: "picture" }, { width: side });
  if (state.from) all.push({ mtime: { gte: state.from } });
  if (state.to) all.push({ mtime: { lt: day_after(state.to) } });
  for (const [field, values] of Object.entries(state.metadata)) {
    // A facet counts values as texts; the collection may hold numbers.
    const both = values.flatMap((value) => (typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? [value, Number(value)] : [value]));
    all.push({ [`metadata.${field}`]: { in: both } });
  }
  if (all.length === 0) return undefined;
  return all.length === 1 ? all[0] : { and: all };
}

function day_after(date) {
  const next = new Date(`${date}T00:00:00Z`);
  next.setUTCDate(next.getUTCDate() + 1);
  return next.toISOString().slice(0, 10);
}

// What a change must differ in to be a new question.
const signature = (state) => JSON.stringify([
  state.collection, terms_of(state).map((term) => [to_text(term), term.source?.length]), filter_of(state), state.least, terms_of(state).length ? state.sort : "", state.collapse,
]);

export function create_search({ api, store, first_page, part_of }) {
  let asked = null;
  let shown = null; // the state that the rows answer: while a newer question waits for its turn, more of them still belong to this one
  let running = null;
  let timer = 0;
  let retry = 0;
  let loading_more = false;
  const listeners = [];
  // status: "loading", "shown", "failed", "nothing wanted"
  // fields: of metadata, as far as rows have shown them.
  const results = { status: "loading", collection: "", items: [], browsing: true, answer: null, next: null, error: null, facets: [], fields: [] };
  const tell = (what) => listeners.forEach((listener) => listener(results, what));

  async function body_of(state, offset, limit) {
    const body = { collection: state.collection || undefined, terms: await to_request(terms_of(state), part_of), offset, limit, sort: state.sort };
    const filter = filter_of(state);
    if (filter) body.filter = filter;
    if (typeof state.least === "number") body.least_score = state.least;
    else if (state.least === null) body.relevant_only = true;
    if (state.collapse) body.collapse = COLLAPSE_ABOVE;
    return body;
  }

  async function page(state, offset, limit, signal) {
    if (terms_of(state).length === 0) {
      const answer = await api.items({ collection: state.collection, offset, limit, filter: filter_of(state) }, signal);
      return { items: answer.items, next: answer.next_offset, answer };
    }
    const answer = await api.search(await body_of(state, offset, limit), signal);
    return { items: answer.results, next: answer.next_offset, answer };
  }

  async function run() {
    clearTimeout(timer);
    clearTimeout(retry);
    running?.abort();
    const state = store.get();
    const terms = terms_of(state);
    if (nothing_wanted(state)) {
      Object.assign(results, { status: "nothing wanted", items: [], answer: null, next: null, error: null, browsing: false });
      tell("all");
      return;
    }
    const mine = new AbortController();
    running = mine;
    tell("waiting");
    try {
      const first = await page(state, 0, first_page(), mine.signal);
      if (mine !== running) return;
      const known = results.collection === state.collection ? results.fields : [];
      Object.assign(results, {
        status: "shown", error: null, browsing: terms.length === 0, ...first, collection: state.collection,
        fields: [...new Set([...known, ...first.items.flatMap(fields_of)])].sort(),
      });
      running = null;
      shown = state;
      tell("all");
      facets(state);
    } catch (error) {
      if (mine !== running) return;
      running = null;
      fail(error, run);
    }
  }

  function fail(error, again) {
    if (error.name === "AbortError") return;
    if (!(error instanceof ApiError)) throw error;
    Object.assign(results, { status: results.items.length ? "shown" : "failed", error });
    tell("error");
    const wait = { busy: error.retryAfter, unreachable: 3, draining: 3 }[error.kind];
    if (wait) retry = setTimeout(again, wait * 1000);
  }

  async function more() {
    if (loading_more || running || results.next === null || results.error) return;
    loading_more = true;
    const question = asked;
    tell("waiting");
    try {
      const next = await page(shown, results.next, PAGE, undefined);
      if (question !== asked) return;
      results.items = [...results.items, ...next.items];
      results.next = next.next;
      results.error = null;
      tell("more");
    } catch (error) {
      if (question === asked) fail(error, () => { results.error = null; more(); });
    } finally {
      loading_more = false;
    }
  }

  // Counting costs the server more than the first rows, so it is asked for after them and only where it is seen.
  async function facets(state) {
    if (!state.filters || nothing_wanted(state)) return;
    if (terms_of(state).length === 0) {
      results.facets = counted(results.items, results.fields);
      tell("facets");
      return;
    }
    const question = asked;
    const fields = ["kind", ...results.fields.slice(0, FACETS).map((field) => `metadata.${field}`)];
    try {
      const answer = await api.search({ ...await body_of(state, 0, 1), facets: fields });
      if (question !== asked) return;
      results.facets = answer.facets ?? [];
      tell("facets");
    } catch { /* the rows are there: filters without counts will do */ }
  }

  function ask() {
    const question = signature(store.get());
    if (question === asked) return;
    asked = question;
    clearTimeout(timer);
    if (!running) run();
    else timer = setTimeout(run, QUIET_MS);
  }

  store.listen((state, previous) => {
    ask();
    if (state.filters && !previous.filters) facets(state);
  });

  return { results, listen: (listener) => listeners.push(listener), ask, more, again: run };
}

// Keys that can be asked for: a point would lead into an object.
function fields_of(item) {
  return Object.entries(item.metadata ?? {})
    .filter(([key, value]) => /^[^."\\\u0000-\u001f]{1,64}$/.test(key) && ["string", "number", "boolean"].includes(typeof value) && String(value).length <= 80)
    .map(([field]) => field);
}

// While browsing the server counts nothing: what the rows so far have.
function counted(items, fields) {
  const count_of = (field, values) => {
    const counts = new Map();
    for (const value of values) if (value !== undefined) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
    return { field, values: [...counts].map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count).slice(0, 20) };
  };
  return [count_of("kind", items.map((item) => item.kind)),
    ...fields.slice(0, FACETS).map((field) => count_of(`metadata.${field}`, items.map((item) => item.metadata?.[field])))];
}
