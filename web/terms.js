// Terms of a query: what is wanted and unwanted, as chips, as JSON for the server and as text in the address.
//   term: {kind: "text", text} | {kind: "item", id, name} | {kind: "picture", source, name, small}, each with weight (negative:
//   unwanted) and, for items and pictures, maybe region {left, top, width, height} in percent.

export const WANTED = 1;
export const UNWANTED = -0.5; // what is asked for matters more than what is shunned
export const MOST_TERMS = 16;

// Splits what is being typed where a sign stands between white space: "sunset + sea - pe" gives the terms sunset and sea, and
// the rest "pe" with its sign. Quotes and brackets keep signs inside.
export function split_typed(typed, sign = 1) {
  const terms = [];
  let start = 0;
  let inside = "";
  for (let at = 0; at < typed.length; ++at) {
    const letter = typed[at];
    if (inside) {
      if (letter === inside) inside = "";
      continue;
    }
    if (letter === "[") inside = "]";
    else if (letter === '"' && typed.slice(start, at).trim() === "") inside = '"';
    const bounded = (at === 0 || /\s/.test(typed[at - 1])) && /\s/.test(typed[at + 1] ?? "");
    if (!bounded || !/[+\-−–]/.test(letter)) continue;
    const term = read_term(typed.slice(start, at), sign);
    if (term) terms.push(term);
    sign = letter === "+" ? 1 : -1;
    start = at + 1;
  }
  return { terms, sign, rest: terms.length || start ? typed.slice(start).trimStart() : typed };
}

// "2*people", "[#7]", "\"a + b\"", "people"; null when empty.
export function read_term(text, sign) {
  let words = text.trim();
  let weight = sign < 0 ? UNWANTED : WANTED;
  const weighted = /^(\d+(?:\.\d+)?)\s*\*\s*(.*)$/s.exec(words);
  if (weighted) {
    weight = Math.sign(sign) * Number(weighted[1]);
    words = weighted[2];
  }
  const item = /^\[#(\d+)\]$/.exec(words);
  if (item) return { kind: "item", id: Number(item[1]), name: `#${item[1]}`, weight };
  const quoted = /^"((?:[^"\\]|\\.)*)"?$/s.exec(words);
  if (quoted) words = quoted[1].replace(/\\(.)/gs, "$1");
  return words === "" ? null : { kind: "text", text: words, weight };
}

// What the server is asked with. Parts are cut out here: part_of(id, region) resolves to the picture of one.
export function to_request(terms, part_of) {
  return Promise.all(terms.map(async ({ kind, weight, text, source, id, region }) => {
    if (kind === "text") return { text, weight };
    if (kind === "picture") return { picture: source, weight };
    return region ? { picture: await part_of(id, region), weight } : { id, weight };
  }));
}

// In the address: "1:text:sunset", "-0.5:item:7@10,10,50,50", "1:picture:BASE64" (the small copy).
export function to_text(term) {
  if (term.kind === "text") return `${term.weight}:text:${term.text}`;
  if (term.kind === "picture") return `${term.weight}:picture:${term.small.replace(/^data:/, "")}`;
  const { region } = term;
  const part = region ? `@${[region.left, region.top, region.width, region.height].map((side) => +side.toFixed(2)).join(",")}` : "";
  return `${term.weight}:item:${term.id}${part}`;
}

// Nothing for what is not such a text: addresses are written by strangers too.
export function from_text(text) {
  const found = /^(-?\d+(?:\.\d+)?):(text|item|picture):(.*)$/s.exec(text);
  if (!found || Number(found[1]) === 0) return null;
  const weight = Math.max(-10, Math.min(10, Number(found[1])));
  if (found[2] === "text") return found[3].trim() ? { kind: "text", text: found[3].slice(0, 1000), weight } : null;
  if (found[2] === "picture") {
    if (!/^image\/(?:jpeg|webp|png);base64,[A-Za-z0-9+/=]{1,4000}$/.test(found[3])) return null;
    const source = `data:${found[3]}`;
    return { kind: "picture", source, small: source, name: "picture from the link", copied: true, weight };
  }
  const item = /^(\d{1,18})(?:@([\d.]+),([\d.]+),([\d.]+),([\d.]+))?$/.exec(found[3]);
  if (!item) return null;
  const [left, top, width, height] = item.slice(2).map(Number);
  const region = item[2] && width > 0 && height > 0 ? { left, top, width, height } : undefined;
  return { kind: "item", id: Number(item[1]), name: `#${item[1]}`, region, weight };
}

export function label_of(term) {
  if (term.kind === "text") return term.text;
  const part = term.region ? "part of " : "";
  return part + (term.name || (term.kind === "item" ? `#${term.id}` : "picture"));
}

// "×2", "×0.5"; empty for the usual weight.
export function weight_text(term) {
  const usual = term.weight < 0 ? UNWANTED : WANTED;
  return term.weight === usual ? "" : `×${+Math.abs(term.weight).toFixed(2)}`;
}
