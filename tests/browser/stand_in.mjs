// A server that answers as Tandem does, for what the real one cannot be made to do at will: refuse, vanish, hold 100,000 items.
// Its scores mean nothing: they come from the letters of captions.
import { createServer, request as ask } from "node:http";
import { readFileSync, existsSync } from "node:fs";
import { join, extname } from "node:path";
import { createHash } from "node:crypto";

const TYPES = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html", ".png": "image/png" };
export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; "
  + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

export function sample_items(root) {
  const lines = readFileSync(join(root, "assets/samples/captions.tsv"), "utf8").trim().split("\n").slice(1);
  return lines.map((line, at) => {
    const [name, caption] = line.split("\t");
    const bytes = readFileSync(join(root, "assets/samples", name));
    return { id: at + 1, kind: "picture", uri: `assets/samples/${name}`, name, caption, width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20), size_bytes: bytes.length,
      modified: new Date(Date.UTC(2024, 0, 1) + at * 7200_000).toISOString().replace(".000", ""), sha256: createHash("sha256").update(bytes).digest("hex"),
      metadata: { set: name.split("-")[0], words: caption.split(" ").length } };
  });
}

function grams(text) {
  const found = new Set();
  const padded = ` ${text.toLowerCase()} `;
  for (let at = 0; at + 3 <= padded.length; ++at) found.add(padded.slice(at, at + 3));
  return found;
}

function likeness(a, b) {
  let both = 0;
  for (const gram of a) both += b.has(gram);
  return both / Math.sqrt(Math.max(1, a.size * b.size));
}

function value_of(item, field) {
  if (field === "mtime") return item.modified;
  return field.startsWith("metadata.") ? item.metadata?.[field.slice(9)] : item[field];
}

function passes(filter, item) {
  return Object.entries(filter ?? {}).every(([field, condition]) => {
    if (field === "and") return condition.every((each) => passes(each, item));
    const value = value_of(item, field);
    if (typeof condition !== "object") return value === condition;
    return Object.entries(condition).every(([operator, bound]) => ({
      in: () => bound.includes(value), gte: () => value >= bound, gt: () => value > bound, lt: () => value < bound, lte: () => value <= bound, eq: () => value === bound,
    })[operator]());
  });
}

function answer_file(root, path, response) {
  const name = path === "/" ? "index.html" : path.replace(/^\/page\//, "");
  const file = join(root, "web", name);
  const there = /^[\w.]+$/.test(name) && existsSync(file);
  response.writeHead(there ? 200 : 404, { "Content-Type": `${TYPES[extname(name)] ?? "text/plain"}; charset=utf-8`, "Content-Security-Policy": CSP, "Cache-Control": "no-cache" });
  response.end(there ? readFileSync(file) : "");
}

// The files of web/ as they are now, in front of a server whose own are older.
export async function start_front({ root, url: behind }) {
  const { host, port } = new URL(behind);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    if (!pathname.startsWith("/v1/")) return answer_file(root, pathname, response);
    const further = ask({ host: "127.0.0.1", port, path: request.url, method: request.method, headers: { ...request.headers, host, origin: `http://${host}` } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    further.on("error", () => response.destroy());
    request.pipe(further);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}/`, stop: () => new Promise((done) => { server.close(() => done()); server.closeAllConnections(); }) };
}

// faults: {key, status, retry_after, type, delay_ms}: may be changed while it runs.
// twins: {id: [ids]} gathered under an item; quick: scores a few thousand rows only.
export async function start_stand_in({ root, items = sample_items(root), faults = {}, port = 0, twins = {}, collection = "samples", quick = false }) {
  const all = (quick ? items.slice(0, 2000) : items).map((item) => ({ item, grams: grams(item.caption || item.name) }));
  const by_id = new Map(items.map((item) => [item.id, { item, grams: new Set() }]));
  for (const row of all) by_id.set(row.item.id, row);
  const newest = [...items].sort((a, b) => (a.modified < b.modified ? 1 : -1));

  function search(body) {
    const parts = body.terms.map((term) => ({ weight: term.weight ?? 1, grams: term.text ? grams(term.text) : term.id ? by_id.get(term.id)?.grams ?? new Set() : grams("picture face") }));
    const rows = all.filter(({ item }) => passes(body.filter, item)).map((row) => {
      const score = parts.reduce((sum, part) => sum + part.weight * likeness(part.grams, row.grams), 0);
      return { ...row.item, score, relevant: score > 0.2, duplicates: twins[row.item.id] ?? [] };
    }).sort((a, b) => b.score - a.score);
    let shown = body.relevant_only ? rows.filter((row) => row.relevant) : body.least_score !== undefined ? rows.filter((row) => row.score >= body.least_score) : rows;
    if (body.sort === "newest") shown = [...shown].sort((a, b) => (a.modified < b.modified ? 1 : -1));
    if (body.sort === "oldest") shown = [...shown].sort((a, b) => (a.modified > b.modified ? 1 : -1));
    shown = shown.slice(0, 1000);
    const offset = body.offset ?? 0;
    const facets = (body.facets ?? []).map((field) => {
      const counts = {};
      for (const row of shown) { const value = value_of(row, field); if (value !== undefined) counts[value] = (counts[value] ?? 0) + 1; }
      return { field, values: Object.entries(counts).map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count).slice(0, 20) };
    });
    const results = shown.slice(offset, offset + (body.limit ?? 30));
    return { collection: "samples", query: "", took_ms: 1, total: shown.length, relevant: rows.filter((row) => row.relevant).length, cut_off: 0.2, mean: 0.05, deviation: 0.05, results, facets,
      next_offset: offset + results.length < shown.length ? offset + results.length : null };
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://x");
    const json = (status, body, headers = {}) => { response.writeHead(status, { "Content-Type": "application/json", ...headers }); response.end(JSON.stringify(body)); };
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (!url.pathname.startsWith("/v1/")) return answer_file(root, url.pathname, response);
    if (faults.delay_ms) await new Promise((done) => setTimeout(done, faults.delay_ms));
    if (faults.key && request.headers.authorization !== `Bearer ${faults.key}`) return json(401, { error: { code: 401, type: "unauthorized", message: "A key is needed." } }, { "WWW-Authenticate": "Bearer" });
    if (faults.status) return json(faults.status, { error: { code: faults.status, type: faults.type ?? "overloaded", message: faults.message ?? "Not now." } }, { "Retry-After": String(faults.retry_after ?? 1) });
    const id = Number(/^\/v1\/items\/(\d+)/.exec(url.pathname)?.[1]);
    if (url.pathname === "/v1/collections") return json(200, { collections: [{ name: collection, model: "mini", items: items.length, calibrated: true, writable: false, card: null }] });
    if (url.pathname === "/v1/search") return json(200, search(JSON.parse(Buffer.concat(chunks).toString())));
    if (url.pathname === "/v1/items") {
      const filter = JSON.parse(url.searchParams.get("filter") || "{}");
      const offset = Number(url.searchParams.get("offset") ?? 0);
      const passing = newest.filter((item) => passes(filter, item));
      const page = passing.slice(offset, offset + Number(url.searchParams.get("limit") ?? 30));
      return json(200, { items: page, total: passing.length, next_offset: offset + page.length < passing.length ? offset + page.length : null });
    }
    if (url.pathname === "/v1/classify") {
      const { labels, ids, pictures } = JSON.parse(Buffer.concat(chunks).toString());
      const results = (ids ?? pictures).map((_, at) => {
        const weights = labels.map((label, index) => Math.exp(((label.length * 7 + at * 3 + index * 5) % 11) / 3));
        const sum = weights.reduce((a, b) => a + b);
        return { labels: labels.map((label, index) => ({ label, cosine: weights[index] / 50, probability: weights[index] / sum })).sort((a, b) => b.probability - a.probability) };
      });
      return json(200, { model: "mini", results });
    }
    const found = by_id.get(id)?.item;
    if (!found) return json(404, { error: { code: 404, type: "not_found", message: `item ${id} is not there.` } });
    if (url.pathname.endsWith("/preview")) {
      const file = join(root, found.uri);
      if (!existsSync(file)) return json(404, { error: { message: "gone" } });
      response.writeHead(200, { "Content-Type": "image/png", "Cache-Control": "private, max-age=60" });
      return response.end(readFileSync(file));
    }
    return json(200, found);
  });
  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}/`, faults, stop: () => new Promise((done) => { server.close(() => done()); server.closeAllConnections(); }) };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { url } = await start_stand_in({ root: process.cwd(), port: Number(process.argv[2] ?? 8421) });
  console.log(url);
}
