// Keeps relative times true, or shows exact ones everywhere, in this browser's own time zone.

/** @type {Intl.DateTimeFormatOptions} */
const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const day = new Intl.DateTimeFormat("en-GB", { month: "short", day: "numeric" });
const dated = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "short", day: "numeric" });
const timed = new Intl.DateTimeFormat("en-GB", clock);
const zoned = new Intl.DateTimeFormat("en-GB", { ...clock, year: "numeric", month: "short", day: "numeric", timeZoneName: "short" });

/**
 * The day, with its year unless it is this one.
 * @param {Date} time
 * @param {number} now
 */
const date = (time, now) => (time.getFullYear() === new Date(now).getFullYear() ? day : dated).format(time);

/**
 * @param {Date} time
 * @param {number} now
 */
const exactly = (time, now) => `${date(time, now)} ${timed.format(time)}`;

/**
 * How long ago, in the words the server uses.
 * @param {Date} time
 * @param {number} now
 */
export function ago(time, now) {
  const seconds = Math.trunc((now - time.getTime()) / 1000);
  const size = Math.abs(seconds);
  if (size < 60) return seconds < -10 ? "in a moment" : "just now";
  const [count, unit] = size < 3600 ? [size / 60, "min"] : size < 86400 ? [size / 3600, "h"] : [size / 86400, size < 172800 ? "day" : "days"];
  if (size >= 1209600) return date(time, now);
  const words = `${Math.trunc(count)} ${unit}`;
  return seconds < 0 ? `in ${words}` : `${words} ago`;
}

/** @param {ParentNode} [part] */
export function tell(part = document) {
  const now = Date.now();
  const exact = document.documentElement.dataset.times === "exact";
  for (const element of part.querySelectorAll("time[datetime]")) {
    const time = new Date(element.getAttribute("datetime") ?? "");
    if (Number.isNaN(time.getTime())) continue;
    const text = exact ? exactly(time, now) : ago(time, now);
    if (element.textContent !== text) element.textContent = text;
    const cell = element.parentElement;
    if (cell?.classList.contains("live") && now - time.getTime() >= 60_000) cell.classList.remove("live");
  }
}

/**
 * Gives a time that is pointed at its exact words in this browser's zone; the server's are in its own.
 * @param {Event} event
 */
function hint(event) {
  const element = event.target instanceof Element ? event.target.closest("time[datetime]") ?? event.target.querySelector(":scope > time[datetime]") : null;
  const time = new Date(element?.getAttribute("datetime") ?? "");
  if (!Number.isNaN(time.getTime())) element?.setAttribute("title", zoned.format(time));
}

export function start() {
  // What the server has just drawn is true; only the wish for exact times changes it at once.
  if (document.documentElement.dataset.times) tell();
  setInterval(() => tell(), 15_000);
  document.addEventListener("mouseover", hint);
  document.addEventListener("focusin", hint);
  document.addEventListener("swapped", () => document.documentElement.dataset.times && tell());
  document.addEventListener("preferred", () => tell());
  for (const field of document.querySelectorAll("input[data-zone]")) {
    if (field instanceof HTMLInputElement && field.value === "") field.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
}
