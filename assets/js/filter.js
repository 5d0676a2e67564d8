// Filters as one types: asks the server a moment after the last key and moves the address along without piling up history.

import { question, swap, unsettled } from "./swap.js";

/** How long after the last key is asked, in milliseconds. */
const PAUSE = 150;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {HTMLFormElement} form */
function ask(form) {
  const address = question(form);
  const name = form.dataset.swap ?? "results";
  if (form.dataset.filter !== "typing") return void swap(name, address, { keep: true });
  // The log is asked for the beginning of a word, and what is half written is neither a look at it nor called wrong at once.
  address.searchParams.set("typing", "1");
  swap(name, address, { [unsettled() ? "keep" : "push"]: true, patient: true });
}

export function start() {
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLInputElement) || field.type !== "search" || !field.form || !("filter" in field.form.dataset)) return;
    const form = field.form;
    clearTimeout(timer);
    // Letters that are still being put together, as those of Japanese are, are no word yet.
    if (event instanceof InputEvent && event.isComposing) return;
    timer = setTimeout(() => ask(form), PAUSE);
  });
  document.addEventListener("compositionend", (event) => event.target?.dispatchEvent(new Event("input", { bubbles: true })));
  // What is asked for in full is not asked for once more.
  document.addEventListener("submit", () => clearTimeout(timer));
}
