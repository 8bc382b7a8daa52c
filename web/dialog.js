// Modal dialogs: the browser keeps the focus inside and closes on Escape; afterwards the focus goes back to where it was.
import { button, el } from "./dom.js";

// Opens `content` under `title`; `closed` is called however it ends. Returns {element, close}.
export function open_dialog({ title, content, kind = "", closed = () => {}, stays = false }) {
  const before = document.activeElement;
  const heading = el("h2", { id: `dialog-${kind}-title` }, title);
  const dialog = el("dialog", { class: `dialog ${kind}`, "aria-labelledby": heading.id, on: {
    close: () => {
      dialog.remove();
      if (before?.isConnected) before.focus({ preventScroll: true });
      closed();
    },
    cancel: (event) => { if (stays) event.preventDefault(); },
    click: (event) => { if (event.target === dialog && !stays) dialog.close(); },
  } }, el("div", { class: "sheet" }, el("header", {}, heading, stays ? null : button("Close", "close", () => dialog.close(), { quiet: true, class: "plain" })), content));
  document.body.append(dialog);
  dialog.showModal();
  return { element: dialog, close: () => dialog.close() };
}

// Asks for the API key until one is given.
export function ask_key(refused) {
  return new Promise((given) => {
    const input = el("input", { type: "password", id: "api-key", autocomplete: "current-password", required: true, spellcheck: "false" });
    const form = el("form", { on: { submit: (event) => {
      event.preventDefault();
      const key = input.value.trim();
      if (!/^[\x21-\x7e]+$/.test(key)) return input.setCustomValidity("A key has letters, digits and signs, without spaces."), input.reportValidity();
      close();
      given(key);
    } } }, el("p", {}, refused ? "The server did not accept that key." : "This server asks for a key."),
    el("label", { for: "api-key" }, "API key"), input,
    el("p", { class: "hint" }, "It is kept in this tab until you close it."), el("div", { class: "actions" }, el("button", { type: "submit", class: "primary" }, "Continue")));
    input.addEventListener("input", () => input.setCustomValidity(""));
    const { close } = open_dialog({ title: "Sign in", content: form, kind: "small key", stays: true });
    input.focus();
  });
}

const KEYS = [
  ["/", "Go to the search box"], ["↓", "From the box to the results"], ["← → ↑ ↓", "Move through the results"], ["Enter", "Open"], ["x", "Select; with Shift and arrows, select many"],
  ["s", "Find similar"], ["d", "Show or hide near-duplicates"], ["f", "Filters"], ["Ctrl A", "Select all that is shown, in the results"], ["Esc", "Close, or drop the selection"], ["?", "This help"],
];

export function show_help() {
  const keys = el("dl", { class: "keys" }, KEYS.map(([key, what]) => el("div", {}, el("dt", {}, key.split(" ").map((each) => el("kbd", {}, each))), el("dd", {}, what))));
  const content = el("div", {}, keys, el("h3", {}, "Asking"),
    el("p", {}, "Write what the picture shows. With ", el("kbd", {}, " + "), " and ", el("kbd", {}, " - "), " between spaces you add what should be there too and what should not: ",
      el("q", {}, "beach + dog - people"), ". Each part becomes a chip whose sign and weight you can change."),
    el("p", {}, "Drop, paste or pick a picture to search by it, or by a part of it. A link to the page restores what you see; of a picture from your disk it carries a small copy, so its results may differ a little."));
  open_dialog({ title: "Keys and queries", content, kind: "help" });
}
