// Keeps relative times true, or shows exact ones everywhere, in this browser's own time zone.

const exactly = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
const zoned = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const dated = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "short", day: "numeric" });

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
  if (size >= 1209600) return dated.format(time);
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
    const text = exact ? exactly.format(time) : ago(time, now);
    if (element.textContent !== text) element.textContent = text;
    element.setAttribute("title", zoned.format(time));
    const cell = element.parentElement;
    if (cell?.classList.contains("live") && now - time.getTime() >= 60_000) cell.classList.remove("live");
  }
}

export function start() {
  tell();
  setInterval(tell, 15_000);
  document.addEventListener("swapped", () => tell());
  document.addEventListener("preferred", () => tell());
  for (const field of document.querySelectorAll("input[data-zone]")) {
    if (field instanceof HTMLInputElement && field.value === "") field.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
}
