// Follows what happens. Rows that are read are not shoved; the session that has ended leaves.

import { gone, chosen } from "./select.js";
import { follow } from "./stream.js";
import { swap } from "./swap.js";
import { ago } from "./times.js";
import { told } from "./told.js";

/** @typedef {{id: string, user: string, last_access: string, state?: string, ended_by?: string, ended_by_user?: string}} Session */

const own = document.querySelector("meta[name=session]")?.getAttribute("content") ?? "";
const me = document.querySelector("meta[name=user]")?.getAttribute("content") ?? "";
const fresh = new Set();

/** @type {{stop: () => void} | undefined} */
let following;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let lost;
let away = false;
let sending = false;

/** @param {import("./stream.js").Word} word */
function hear({ kind, data = "{}" }) {
  if (kind === "open") back();
  else if (kind === "lost") lost ??= setTimeout(wentAway, 3000);
  else if (kind === "away") away = true;
  else if (kind === "closed") closed();
  else if (kind === "ended") ended(JSON.parse(data));
  else if (kind === "session") seen(JSON.parse(data));
  else answered(JSON.parse(data).id);
}

/** The stream was closed for good: perhaps the session is over. */
async function closed() {
  lost ??= setTimeout(wentAway, 3000);
  const answer = await fetch("/api/v1/me", { headers: { Background: "1" }, credentials: "same-origin" }).catch(() => null);
  if (answer?.status === 401) leave();
}

/** A form on its way leads away by itself, and its answer must be heard: signing out takes the cookie along. */
function leave() {
  following?.stop();
  if (sending) return;
  location.assign("/signin");
}

function wentAway() {
  away = true;
  offline(true);
}

function back() {
  clearTimeout(lost);
  lost = undefined;
  if (away) refresh();
  away = false;
  offline(false);
}

/** @param {boolean} is */
function offline(is) {
  const line = document.getElementById("offline");
  if (line) line.hidden = !is;
}

export function start() {
  if (!own) return;
  following = follow(own, hear);
  addEventListener("submit", (event) => {
    sending ||= !event.defaultPrevented;
  });
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("#pill")) {
      scrollTo({ top: 0 });
      refresh();
    }
  });
}

/** @param {Session} session */
function ended(session) {
  if (session.id === own) return leave();
  const by = session.ended_by_user;
  gone(session.id, by === me ? "ended by you" : by === session.user ? "signed out" : by ? `ended by ${by}` : session.ended_by === "policy" ? "timed out" : "ended");
  part(session.id);
}

/** @param {Session} session */
function seen(session) {
  part(session.id);
  const list = document.querySelector("[data-live=sessions]");
  if (!list) return;
  const row = list.querySelector(`tr[data-id="${CSS.escape(session.id)}"]`);
  if (row) return touched(row, session.last_access);
  fresh.add(session.id);
  const reading = scrollY > 80 || chosen().length > 0 || list.contains(document.activeElement) || document.querySelector("dialog[open]");
  if (reading) return pill();
  soon(refresh);
}

/**
 * An app was told of a session's end, or could not be.
 * @param {string} id
 */
function answered(id) {
  told(id);
  part(id);
  const page = document.querySelector("[data-live=told]");
  if (page) soon(() => swap(page.id, location.href, { quiet: true }));
}

/**
 * @param {Element} row
 * @param {string} at
 */
function touched(row, at) {
  const time = row.querySelector(".last time");
  if (!time) return;
  time.setAttribute("datetime", at);
  time.textContent = ago(new Date(at), Date.now());
  time.parentElement?.classList.add("live");
}

function pill() {
  const pill = document.getElementById("pill");
  if (!pill) return;
  pill.textContent = `${fresh.size} new`;
  pill.hidden = fresh.size === 0;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let waiting;
/** @param {() => void} what */
function soon(what) {
  waiting ??= setTimeout(() => { waiting = undefined; what(); }, 400);
}

/** Draws the list anew, as it stands in the address. */
function refresh() {
  fresh.clear();
  pill();
  if (document.querySelector("[data-live=sessions]")) swap("results", location.href, { quiet: true });
}

/**
 * A page about one session draws itself anew when that session moves.
 * @param {string} id
 */
function part(id) {
  if (!document.querySelector(`[data-live=session][data-session="${CSS.escape(id)}"]`)) return;
  soon(() => {
    for (const each of document.querySelectorAll("[data-live=session]")) swap(each.id, location.href, { quiet: true });
  });
}
