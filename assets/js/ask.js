// The question to the log: the custom period unfolds, filters fold on a small screen, and late counts arrive.

import { swap } from "./swap.js";

/** What was not counted yet when the rows were ready is asked for now. */
function late() {
  for (const part of document.querySelectorAll("[data-late]")) {
    const name = part.getAttribute("data-late");
    part.removeAttribute("data-late");
    if (name) swap(name, location.href, { quiet: true });
  }
}

/** What changes by itself is asked for again, as long as the answer says there is more to come. */
function poll() {
  for (const part of document.querySelectorAll("[data-poll]")) {
    setTimeout(async () => {
      await swap(part.id, location.href, { quiet: true });
      if (!part.querySelector("progress")) part.removeAttribute("data-poll");
      poll();
    }, 1500);
  }
}

export function start() {
  late();
  poll();
  document.addEventListener("swapped", late);
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLSelectElement) || !("period" in field.dataset)) return;
    const custom = field.form?.querySelector("[data-custom]");
    custom?.classList.toggle("open", field.value === "custom");
    for (const end of custom?.querySelectorAll("input:not([data-zone])") ?? []) {
      if (end instanceof HTMLInputElement && field.value !== "custom") end.value = "";
    }
    if (field.value === "custom") custom?.querySelector("input")?.focus();
  });
  document.addEventListener("formdata", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.id !== "ask") return;
    if (event.formData.get("period") === "custom") return void event.formData.delete("period");
    // A named period without ends is counted back from now, in no zone; beside ends, which an address may have, both count.
    if (["from", "to"].some((name) => event.formData.get(name))) return;
    for (const name of ["from", "to", "tz"]) event.formData.delete(name);
  });
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-unfold]") : null;
    if (!button) return;
    const open = button.closest("form")?.classList.toggle("unfolded") ?? false;
    button.setAttribute("aria-expanded", String(open));
  });
}
