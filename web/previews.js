// Pictures of stored items. Without a key the browser fetches them itself; with one they are fetched with it, a few at a time.

const AT_ONCE = 6;

export function create_previews({ api, collection }) {
  const waiting = [];
  let running = 0;

  function next() {
    while (running < AT_ONCE && waiting.length) {
      const job = waiting.shift();
      if (job.image.dataset.wanted !== job.path) continue;
      ++running;
      api.blob(job.path).then((blob) => {
        if (job.image.dataset.wanted !== job.path) return;
        release(job.image);
        job.image.src = job.image.dataset.blob = URL.createObjectURL(blob);
      }, () => job.image.dispatchEvent(new Event("error"))).finally(() => { --running; next(); });
    }
  }

  function release(image) {
    if (image?.dataset.blob) URL.revokeObjectURL(image.dataset.blob);
    if (image) delete image.dataset.blob;
  }

  return {
    path: (id, side) => api.preview(collection(), id, side),
    show(image, id, side) {
      const path = api.preview(collection(), id, side);
      image.dataset.wanted = path;
      if (!api.has_key()) {
        image.src = path;
        return;
      }
      waiting.push({ image, path });
      next();
    },
    forget: (image) => { if (image) { image.dataset.wanted = ""; release(image); } },
  };
}
