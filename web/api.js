// Tandem's HTTP API as functions. Everything that can go wrong is an ApiError whose `kind` says what the page does about it.

// kind: "unreachable" (no answer), "busy" (429, 503; `retryAfter` seconds), "draining" (shutting down), "missing" (404),
// "input" (other 4xx), "failed" (5xx).
export class ApiError extends Error {
  constructor(kind, message, { status = 0, retryAfter = 0, type = "", param = null } = {}) {
    super(message);
    Object.assign(this, { kind, status, retryAfter, type, param });
  }
}

const KEY = "tandem.key";

// ask_key(refused): resolves to the key that the person gave. The key lives as long as this tab.
export function create_api({ ask_key }) {
  let key = sessionStorage.getItem(KEY) ?? "";
  let asking = null;

  async function request(path, { method = "GET", body, signal, as = "json" } = {}) {
    for (;;) {
      const used = key;
      const headers = {};
      if (used) headers.Authorization = `Bearer ${used}`;
      if (body !== undefined) headers["Content-Type"] = "application/json";
      let response;
      try {
        response = await fetch(path, {
          method, headers, signal, cache: as === "blob" ? "default" : "no-store",
          body: body === undefined ? undefined : JSON.stringify(body),
        });
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new ApiError("unreachable", navigator.onLine ? "The server does not answer." : "You are offline.");
      }
      if (response.status === 401) {
        await renew(used);
        continue;
      }
      if (!response.ok) throw await refusal(response);
      return as === "blob" ? response.blob() : response.json();
    }
  }

  // Waits and asks again, a few times, while the server is busy: for what nobody is typing at.
  async function patient(path, options = {}) {
    for (let left = 3; ; --left) {
      try {
        return await request(path, options);
      } catch (error) {
        if (error.kind !== "busy" || left === 0) throw error;
        await new Promise((later) => setTimeout(later, error.retryAfter * 1000));
        options.signal?.throwIfAborted();
      }
    }
  }

  // One question at a time, however many requests were refused.
  async function renew(used) {
    if (key !== used) return;
    asking ??= ask_key(used !== "").then((given) => {
      key = given;
      sessionStorage.setItem(KEY, given);
    }).finally(() => { asking = null; });
    await asking;
  }

  const query = (values) => new URLSearchParams(
    Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "")).toString();

  return {
    has_key: () => key !== "",
    collections: async () => (await request("v1/collections")).collections,
    search: (body, signal) => request("v1/search", { method: "POST", body, signal }),
    neighbours: (body, signal) => patient("v1/search", { method: "POST", body, signal }),
    items: ({ collection, offset, limit, filter }, signal) => request(
      `v1/items?${query({ collection, offset, limit, filter: filter ? JSON.stringify(filter) : "" })}`, { signal }),
    item: (collection, id, signal) => patient(`v1/items/${id}?${query({ collection })}`, { signal }),
    classify: (body, signal) => patient("v1/classify", { method: "POST", body, signal }),
    preview: (collection, id, side) => `v1/items/${id}/preview?${query({ collection, side })}`,
    blob: (path, signal) => patient(path, { signal, as: "blob" }),
  };
}

async function refusal(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch { /* not one of ours, e.g. a proxy's page */ }
  const { status } = response;
  const type = String(error.type ?? "");
  const retryAfter = Math.min(Number(response.headers.get("Retry-After")) || 0, 60);
  const message = error.message ? String(error.message) : `The server answered ${status}.`;
  let kind = "failed";
  if (type === "draining" || type === "shutting_down") kind = "draining";
  else if (status === 429 || status === 503) kind = "busy";
  else if (status === 404) kind = "missing";
  else if (status < 500) kind = "input";
  return new ApiError(kind, message, { status, retryAfter: retryAfter || 1, type, param: error.param });
}
