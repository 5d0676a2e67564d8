// Choosing rows and logging them out: the bar at the bottom edge, ranges with Shift, rows that leave with their state.

import { add, ask } from "./confirm.js";
import { telling } from "./told.js";

/** @returns {HTMLInputElement[]} */
const boxes = () => [...document.querySelectorAll("#logout input[name=session]")].filter((box) => box instanceof HTMLInputElement);
/** @returns {HTMLInputElement[]} */
export const chosen = () => boxes().filter((box) => box.checked && !box.closest("tr")?.classList.contains("gone"));

/** @type {HTMLInputElement | null} */
let last = null;
/** What is selected, by id: it stays so when the rows are drawn anew. */
const kept = new Set();

/**
 * @param {number} count
 * @param {string} one
 */
const counted = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

/** Shows what is selected. */
export function show() {
  for (const box of boxes()) box.closest("tr")?.classList.toggle("chosen", box.checked);
  const now = chosen();
  kept.clear();
  for (const box of now) kept.add(box.value);
  const users = new Set(now.map(user));
  const dock = document.querySelector("[data-dock]");
  dock?.classList.toggle("open", now.length > 0);
  const line = dock?.querySelector("[data-selected]");
  if (line) line.textContent = now.length ? `${counted(now.length, "session")} of ${counted(users.size, "user")} selected` : "";
  const all = document.querySelector("[data-all]");
  if (all instanceof HTMLInputElement) {
    all.checked = now.length > 0 && now.length === boxes().length;
    all.indeterminate = now.length > 0 && !all.checked;
  }
}

/** @param {Element} box */
const user = (box) => cell(box, ".user");
/**
 * @param {Element} inside
 * @param {string} name
 */
const cell = (inside, name) => inside.closest("tr")?.querySelector(name)?.textContent?.trim() ?? "";

/** @param {HTMLInputElement} box */
function described(box) {
  const on = [cell(box, ".browser"), cell(box, ".os")].filter(Boolean).join(", ") || cell(box, ".device");
  const where = cell(box, ".city") || cell(box, ".location");
  const own = box.closest("tr.own") ? " (this session)" : "";
  return [user(box), [on, where].filter(Boolean).join(", ")].filter(Boolean).join(" · ") + own;
}

/**
 * Ticks every box between the last one and this one.
 * @param {HTMLInputElement} box
 */
export function reach(box) {
  const all = boxes();
  const [from, to] = [last ? all.indexOf(last) : -1, all.indexOf(box)];
  if (from >= 0) for (const each of all.slice(Math.min(from, to), Math.max(from, to) + 1)) each.checked = box.checked;
  last = box;
  show();
}

/** Asks, logs out what is selected, and lets the rows say so. */
export async function logout() {
  const form = document.getElementById("logout");
  const now = chosen();
  if (!(form instanceof HTMLFormElement)) return;
  if (now.length === 0) {
    const dock = document.querySelector("[data-dock]");
    const line = dock?.querySelector("[data-selected]");
    if (line) line.textContent = "Select a session first.";
    dock?.classList.add("open");
    return;
  }
  const own = now.some((box) => box.closest("tr.own"));
  const reason = await ask({
    title: `Log out ${counted(now.length, "session")}?`,
    text: own ? "One of them is the session you are in: you will have to sign in again." : "Their next request is refused.",
    items: now.map(described),
    button: `Log out ${counted(now.length, "session")}`,
    reason: true,
  });
  if (reason === null) return;
  const answer = await fetch("/api/v1/sessions/logout", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    credentials: "same-origin",
    body: JSON.stringify({ sessions: now.map((box) => box.value), ...(reason && { reason }) }),
  }).catch(() => null);
  if (!answer?.ok) {
    add(form, "confirmed", "1");
    add(form, "reason", reason);
    return form.submit();
  }
  if (own) return location.assign("/signin");
  for (const box of now) gone(box.value, "ended by you");
  telling(now.map((box) => box.value));
}

/**
 * Lets a row say how its session ended, and then leave without a jump.
 * @param {string} id
 * @param {string} how
 */
export function gone(id, how) {
  const row = document.querySelector(`.sessions tr[data-id="${CSS.escape(id)}"]`);
  if (!row || row.classList.contains("gone")) return;
  row.classList.add("gone");
  const box = row.querySelector("input");
  if (box) box.checked = false;
  const chip = document.createElement("span");
  chip.className = "chip gone";
  chip.textContent = how;
  const last = row.querySelector(".last");
  last?.classList.remove("live");
  last?.replaceChildren(chip);
  show();
  setTimeout(() => {
    if (row.matches(":hover")) return;
    if (row instanceof HTMLElement) row.style.height = `${row.offsetHeight}px`;
    requestAnimationFrame(() => {
      if (row instanceof HTMLElement) row.style.height = "";
      row.classList.add("leaving");
    });
    setTimeout(() => row.remove(), 300);
  }, 6000);
}

export function start() {
  show();
  document.addEventListener("swapped", () => {
    last = null;
    for (const box of boxes()) box.checked = kept.has(box.value);
    show();
  });
  document.addEventListener("click", (event) => {
    const box = event.target;
    if (box instanceof HTMLInputElement && box.name === "session") {
      if (event.shiftKey) reach(box);
      last = box;
    }
  });
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || !box.closest("#logout")) return;
    if ("all" in box.dataset) for (const each of boxes()) each.checked = box.checked;
    show();
  });
  document.addEventListener("reset", () => setTimeout(show));
  document.addEventListener("submit", (event) => {
    if (!(event.target instanceof HTMLFormElement) || !("logout" in event.target.dataset)) return;
    event.preventDefault();
    logout();
  });
}
