// Filters as one types: asks the server a moment after the last key and moves the address along without piling up history.

import { question, swap } from "./swap.js";

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

export function start() {
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLInputElement) || !field.form || !("filter" in field.form.dataset)) return;
    const form = field.form;
    clearTimeout(timer);
    timer = setTimeout(() => swap(form.dataset.swap ?? "results", question(form), { keep: true }), 120);
  });
}
