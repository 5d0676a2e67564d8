// Rows that open: a click anywhere on a row goes where its link goes; a record of the log opens in place.
// And rows that go on: "Show more" fetches the next ones as one nears the end.

import { elements, fragment } from "./swap.js";
import { tell } from "./times.js";

/**
 * Opens a row as its link would, or closes it again.
 * @param {Element} row
 */
export function open(row) {
  const link = row.querySelector("td a[href]");
  if (!(link instanceof HTMLAnchorElement)) return;
  if ("open" in link.dataset) unfold(row, link);
  else location.assign(link.href);
}

/**
 * @param {Element} row
 * @param {HTMLAnchorElement} link
 */
async function unfold(row, link) {
  const next = row.nextElementSibling;
  if (next?.classList.contains("record")) {
    next.remove();
    row.classList.remove("open");
    link.setAttribute("aria-expanded", "false");
    return;
  }
  if (row.getAttribute("aria-busy")) return;
  row.setAttribute("aria-busy", "true");
  try {
    const text = await fragment("record", link.href);
    const record = document.createElement("tr");
    record.className = "record";
    const cell = document.createElement("td");
    cell.colSpan = row.childElementCount;
    cell.append(elements(text));
    record.append(cell);
    row.after(record);
    row.classList.add("open");
    link.setAttribute("aria-expanded", "true");
    tell(record);
  } catch {
    location.assign(link.href);
  } finally {
    row.removeAttribute("aria-busy");
  }
}

/** Fetches the rows behind the last one. */
async function more(/** @type {HTMLAnchorElement} */ link) {
  const body = document.querySelector(link.dataset.more ?? "");
  if (!body || link.getAttribute("aria-busy")) return;
  link.setAttribute("aria-busy", "true");
  try {
    const content = elements(await fragment("results", link.href));
    const rows = content.querySelectorAll("tbody > tr");
    body.append(...rows);
    const next = content.querySelector("a[data-more]");
    if (next) link.replaceWith(next);
    else link.parentElement?.remove();
    document.dispatchEvent(new CustomEvent("grown"));
    tell(body);
    watch();
  } catch {
    link.removeAttribute("aria-busy");
  }
}

const nearing = new IntersectionObserver((seen) => {
  for (const entry of seen) if (entry.isIntersecting && entry.target instanceof HTMLAnchorElement) more(entry.target);
}, { rootMargin: "800px" });

function watch() {
  nearing.disconnect();
  for (const link of document.querySelectorAll("a[data-more]")) nearing.observe(link);
}

/**
 * Gives a cell that does not show all of its text that text as a title.
 * @param {Event} event
 */
function tip(event) {
  const cell = event.target instanceof Element ? event.target.closest(".rows td, .rows th") : null;
  if (!(cell instanceof HTMLElement) || cell.querySelector("time[title]")) return;
  const inner = cell.querySelector(".chip, .town > span");
  const cut = cell.scrollWidth > cell.clientWidth || (inner && inner.scrollWidth > inner.clientWidth);
  if (cut) cell.title = cell.textContent?.trim() ?? "";
  else cell.removeAttribute("title");
}

export function start() {
  watch();
  document.addEventListener("swapped", watch);
  document.addEventListener("mouseover", tip);
  document.addEventListener("focusin", tip);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (!(event.target instanceof Element)) return;
    const row = event.target.closest(".rows > tbody > tr:not(.record, .gone)");
    if (!row) return;
    const on = event.target.closest("a, button, input, label, form form");
    if (on instanceof HTMLAnchorElement && "open" in on.dataset) {
      event.preventDefault();
      return void open(row);
    }
    if (on || event.target.closest(".box, .do") || String(getSelection())) return;
    open(row);
  });
}
