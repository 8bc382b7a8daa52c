// Pictures that people drop, paste or pick: read here, made no larger than a model looks at, with a small copy for links.

const SENT_SIDE = 768; // models read 64 to 512 pixels; this leaves room for a part
const SENT_AS_IS_BYTES = 256 * 1024;
const SMALL_SIDE = 112;
export const SMALL_MOST = 2048; // characters of the small copy: links must stay links
const MOST_BYTES = 20 * 1024 * 1024;

// A picture term. Throws an Error that says why a file cannot be one.
export async function read_picture(file) {
  const name = file.name || "pasted picture";
  if (file.size > MOST_BYTES) throw new Error(`${name} has more than 20 MB.`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    if (!file.type.startsWith("image/")) throw new Error(`${name} is not a picture.`);
    return { kind: "picture", name, source: await data_url(file), small: "", weight: 1 }; // the server may know the format
  }
  const as_is = file.size <= SENT_AS_IS_BYTES && Math.max(bitmap.width, bitmap.height) <= SENT_SIDE;
  const whole = { left: 0, top: 0, width: 100, height: 100 };
  const source = as_is ? await data_url(file) : await draw(bitmap, whole, SENT_SIDE);
  return { kind: "picture", name, source, small: await small_copy(bitmap, whole), weight: 1, full: bitmap };
}

// The term of a part of a picture that was read here. region: percent.
export async function part_of(term, region) {
  const source = await draw(term.full, region, SENT_SIDE);
  return { ...term, region, source, small: await small_copy(term.full, region) };
}

// Of a whole picture again.
export async function whole_of(term) {
  const whole = { left: 0, top: 0, width: 100, height: 100 };
  return { ...term, region: undefined, source: await draw(term.full, whole, SENT_SIDE), small: await small_copy(term.full, whole) };
}

// A picture to look at while a part is chosen.
export const view_of = (term) => draw(term.full, { left: 0, top: 0, width: 100, height: 100 }, 1600);

// Parts of stored pictures, cut from their previews; the latest are kept, for as long as a query is being typed around them.
export function create_parts({ api, collection }) {
  const kept = new Map();
  return (id, region) => {
    const path = api.preview(collection(), id, 1280);
    const key = JSON.stringify([path, region]);
    if (!kept.has(key)) {
      const part = api.blob(path).then(createImageBitmap).then((bitmap) => draw(bitmap, region, SENT_SIDE));
      part.catch(() => kept.delete(key));
      kept.set(key, part);
      if (kept.size > 8) kept.delete(kept.keys().next().value);
    }
    return kept.get(key);
  };
}

async function small_copy(bitmap, region) {
  for (const [side, quality] of [[SMALL_SIDE, 0.7], [SMALL_SIDE, 0.4], [80, 0.4], [64, 0.3], [48, 0.2]]) {
    const copy = await draw(bitmap, region, side, quality, "image/webp");
    if (copy.length <= SMALL_MOST) return copy;
  }
  return "";
}

async function draw(bitmap, region, side, quality = 0.92, type = "image/jpeg") {
  const left = (bitmap.width * region.left) / 100;
  const top = (bitmap.height * region.top) / 100;
  const width = Math.max(1, (bitmap.width * region.width) / 100);
  const height = Math.max(1, (bitmap.height * region.height) / 100);
  const scale = Math.min(1, side / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff"; // as Tandem lays transparent pictures on white
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, left, top, width, height, 0, 0, canvas.width, canvas.height);
  return data_url(await new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the picture could not be drawn"))), type, quality)));
}

function data_url(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
}
