// After a logout: how far the apps have been told of it, kept up as they answer.

import { swap } from "./swap.js";

/** The most sessions that are asked about at once, as the server reads them. */
const MOST = 50;

/** @type {Set<string>} */
let ended = new Set();
/** What was done, where the page was opened to say so. */
let done = "";

/**
 * From now on the page says how far the apps of these sessions have been told.
 * @param {string[]} ids
 */
export function telling(ids) {
  done = "";
  ended = new Set(ids.slice(0, MOST));
  look();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let waiting;
function look() {
  if (ended.size === 0) return;
  waiting ??= setTimeout(() => {
    waiting = undefined;
    const address = new URL("/sessions", location.href);
    if (done) address.searchParams.set("done", done);
    for (const id of ended) address.searchParams.append("ended", id);
    swap("notice", address, { quiet: true });
  }, 100);
}

/**
 * An app of this session has answered, or could not be reached.
 * @param {string} id
 */
export function told(id) {
  if (ended.has(id)) look();
}

export function start() {
  if (location.pathname !== "/sessions") return;
  const asked = new URLSearchParams(location.search);
  telling(asked.getAll("ended"));
  done = asked.get("done") ?? "";
}
