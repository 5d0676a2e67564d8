// The keyboard: / j k x l o g s g a ? as in the list that ? shows.

import { open } from "./rows.js";
import { logout, reach, show } from "./select.js";

let before = "";
/** @type {string | undefined} the row one is at, found again when the rows are drawn anew */
let rowId;

/** @returns {HTMLElement[]} */
const rows = () => [...document.querySelectorAll(".rows > tbody > tr:not(.record)")].filter((row) => row instanceof HTMLElement);
const here = () => document.querySelector("tr.here");

/** @param {number} by */
function step(by) {
  const all = rows();
  const at = all.findIndex((row) => row.classList.contains("here"));
  const row = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))];
  if (!row) return;
  here()?.classList.remove("here");
  row.classList.add("here");
  rowId = row.dataset.id;
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

/** @param {boolean} range */
function choose(range) {
  const box = here()?.querySelector("input[name=session]");
  if (!(box instanceof HTMLInputElement)) return;
  box.checked = !box.checked;
  if (range) reach(box);
  show();
}

/** @type {Record<string, (event: KeyboardEvent) => void>} */
const keys = {
  "/": () => {
    const field = document.querySelector("[data-search]");
    if (field instanceof HTMLInputElement) {
      field.focus();
      field.select();
    }
  },
  j: () => step(1),
  k: () => step(-1),
  x: () => choose(false),
  X: () => choose(true),
  l: () => logout(),
  o: () => { const row = here(); if (row) open(row); },
  Enter: () => { const row = here(); if (row && document.activeElement === row) open(row); },
  "?": () => list(),
};

export function list() {
  const dialog = document.getElementById("keys");
  if (dialog instanceof HTMLDialogElement) dialog.showModal();
}

/** @param {KeyboardEvent} event */
function typing(event) {
  const at = event.target;
  if (at instanceof HTMLInputElement) return !["checkbox", "radio"].includes(at.type);
  return at instanceof HTMLSelectElement || at instanceof HTMLTextAreaElement;
}

export function start() {
  document.addEventListener("swapped", () => {
    if (rowId && !here()) rows().find((row) => row.dataset.id === rowId)?.classList.add("here");
  });
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-keys]")) list();
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") return escape();
    if (typing(event)) return;
    const together = before + event.key;
    before = event.key === "g" ? "g" : "";
    if (together === "gs") return location.assign("/sessions");
    if (together === "ga") return location.assign("/activity");
    const act = keys[event.key];
    if (!act) return;
    if (event.key !== "Enter") event.preventDefault();
    act(event);
  });
}

/** Leaves the field, then selects nothing. */
function escape() {
  if (document.activeElement instanceof HTMLInputElement && document.activeElement.type === "search") return document.activeElement.blur();
  const form = document.getElementById("logout");
  if (form instanceof HTMLFormElement) form.reset();
}
