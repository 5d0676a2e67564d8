// Live: what comes into the log takes its place among the rows. While one reads, it waits behind a button instead.

import { elements, swap } from "./swap.js";
import { tell } from "./times.js";

/** The most rows that are kept; the oldest go. */
const MOST = 500;

let on = false;
/** @type {EventSource | null} */
let stream = null;
/** @type {Element[]} rows that wait, the newest first, and how many more were found with them */
let waiting = [];
let found = 0;

/** @returns {HTMLElement | null} */
const list = () => document.querySelector("#rows[data-tail]");

function connect() {
  stream?.close();
  const address = list()?.dataset.tail;
  if (!address) return stop();
  stream = new EventSource(address);
  stream.addEventListener("rows", (event) => arrived(event.data));
  stream.addEventListener("stale", anew);
  stream.addEventListener("error", () => {
    // Refused for good by somebody between here and the server, or by a server that has just begun.
    if (stream?.readyState === EventSource.CLOSED) setTimeout(() => on && anew(), 5000);
  });
}

/** Draws all of it as it is now, and follows from there. */
async function anew() {
  stream?.close();
  stream = null;
  await swap("results", location.href, { quiet: true });
  if (on && !stream) connect();
}

function stop() {
  on = false;
  stream?.close();
  stream = null;
  document.getElementById("live")?.setAttribute("aria-pressed", "false");
}

/** @param {string} text */
function arrived(text) {
  const body = elements(text).querySelector("tbody");
  const known = new Set([...document.querySelectorAll("#rows tr[data-id]"), ...waiting].map(id));
  const rows = [...(body?.children ?? [])];
  const fresh = rows.filter((row) => !known.has(id(row)));
  found += Number(body?.dataset.found ?? 0) - (rows.length - fresh.length);
  waiting = [...fresh, ...waiting].slice(0, MOST);
  if (reading()) pill();
  else place();
}

/** @param {Element} row */
const id = (row) => row.getAttribute("data-id") ?? "";

/** @param {Element} row */
const time = (row) => Date.parse(row.querySelector("time")?.getAttribute("datetime") ?? "");

/** Whether one row stands above another: by time, and by id where the time is the same. */
const above = (/** @type {Element} */ one, /** @type {Element} */ other) => time(one) > time(other) || (time(one) === time(other) && id(one) > id(other));

/** Whether somebody looks at what must not move: further down, marked, opened, or under the keyboard. */
function reading() {
  const rows = list();
  return scrollY > 80 || !getSelection()?.isCollapsed || Boolean(rows?.contains(document.activeElement)) || Boolean(document.querySelector("#rows tr.record, dialog[open]"));
}

function pill() {
  const pill = document.getElementById("news");
  if (!pill) return;
  pill.textContent = `${found.toLocaleString("en")} new`;
  pill.hidden = found === 0;
}

/** Gives the rows that wait their places. */
function place() {
  const rows = list();
  const body = rows?.querySelector("tbody");
  if (!rows || !body || waiting.length + found === 0) return;
  rows.hidden = false;
  rows.parentElement?.querySelector(".nothing")?.remove();
  for (const row of waiting.reverse()) put(body, row);
  // A count that is still on its way holds them already.
  const count = document.getElementById("count");
  const [, words] = count?.textContent?.match(/^([\d,]+) activit/) ?? [];
  if (count && words) {
    const sum = Number(words.replaceAll(",", "")) + found;
    count.textContent = `${sum.toLocaleString("en")} ${sum === 1 ? "activity" : "activities"}`;
  }
  waiting = [];
  found = 0;
  pill();
  while (body.children.length > MOST) {
    body.lastElementChild?.remove();
    // It would lead on from a row that is no longer here.
    document.querySelector("#results nav.pages")?.remove();
  }
}

/**
 * @param {HTMLTableSectionElement} body
 * @param {Element} row
 */
function put(body, row) {
  let at = body.firstElementChild;
  while (at && (at.classList.contains("record") || above(at, row))) at = at.nextElementSibling;
  // What is older than all of this page stands on a later one.
  if (!at && body.firstElementChild && document.querySelector("#results nav.pages [rel=next]")) return;
  body.insertBefore(row, at);
  tell(row);
}

export function start() {
  if (!document.getElementById("live")) return;
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("#live, #news") : null;
    if (!button) return;
    if (button.id === "news") {
      scrollTo({ top: 0 });
      return place();
    }
    if (on) return stop();
    on = true;
    button.setAttribute("aria-pressed", "true");
    anew();
  });
  document.addEventListener("scroll", () => waiting.length > 0 && !reading() && place(), { passive: true });
  document.addEventListener("swapped", (event) => {
    if (!(event instanceof CustomEvent) || event.detail?.name !== "results") return;
    waiting = [];
    found = 0;
    pill();
    const button = document.getElementById("live");
    if (button) button.hidden = !list();
    if (on) connect();
  });
  addEventListener("pagehide", () => stream?.close());
}
