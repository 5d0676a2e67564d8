// Completes the search box: names of fields, and the values that are known of a field.

const FIELDS = [
  ["user:", "who did it"], ["action:", "what was done"], ["app:", "in which program"],
  ["outcome:", "success, failure or unknown"], ["ip:", "an address or a network"], ["city:", "where"], ["country:", "two letters"],
  ["device:", "on what"], ["os:", "on which system"], ["browser:", "in which browser"], ["session:", "in which session"],
  ["target:", "to what or whom"], ["detail:", "what more was said"], ["attr.", "anything else that was sent"],
];
const KNOWN = new Set(["user", "action", "app", "outcome", "city", "country", "device", "os", "browser"]);

/** @typedef {{text: string, hint: string}} Option */

/** @type {AbortController | undefined} */
let asking;
let at = -1;

/**
 * The word at the caret: where it begins and what it says so far.
 * @param {HTMLInputElement} field
 */
function word(field) {
  const caret = field.selectionStart ?? field.value.length;
  const start = field.value.slice(0, caret).search(/[^\s()"]*$/);
  return { start, caret, text: field.value.slice(start, caret).replace(/^-/, ""), minus: field.value[start] === "-" ? 1 : 0 };
}

/**
 * @param {string} text
 * @param {AbortSignal} signal
 * @returns {Promise<Option[]>}
 */
async function options(text, signal) {
  const [, name = "", value = ""] = /^([a-z.]+):(.*)$/i.exec(text) ?? [];
  if (!name) return text ? FIELDS.filter(([field = ""]) => field.startsWith(text.toLowerCase()) && field !== text).map(([text = "", hint = ""]) => ({ text, hint })) : [];
  if (!KNOWN.has(name)) return [];
  if (name === "outcome") return ["success", "failure", "unknown"].filter((each) => each.startsWith(value)).map((each) => ({ text: `outcome:${each}`, hint: "" }));
  // Asked at each key, and no look at what anybody did: either says so.
  const query = new URLSearchParams({ field: name, limit: "8", ...(value ? { prefix: value } : { typing: "1" }) });
  const answer = await fetch(`/api/v1/activity/facets?${query}`, { signal, credentials: "same-origin" });
  if (!answer.ok) return [];
  /** @type {{items?: {value: string, count: number}[]}} */
  const { items = [] } = await answer.json();
  return items.map((item) => ({ text: `${name}:${quoted(item.value)}`, hint: item.count.toLocaleString("en") }));
}

/** @param {string} value */
const quoted = (value) => /^[\p{L}\p{N}._\/:@-]+$/u.test(value) && !value.startsWith("-") ? value : `"${value.replace(/[\\"]/g, "\\$&")}"`;

/**
 * @param {HTMLInputElement} field
 * @param {HTMLElement} list
 */
async function offer(field, list) {
  asking?.abort();
  asking = new AbortController();
  const { text } = word(field);
  const found = await options(text, asking.signal).catch(() => null);
  if (!found) return;
  at = -1;
  list.replaceChildren(...found.map((option, index) => {
    const item = document.createElement("li");
    item.id = `option-${index}`;
    item.role = "option";
    item.dataset.text = option.text;
    const [name, hint] = [document.createElement("span"), document.createElement("i")];
    name.textContent = option.text;
    hint.textContent = option.hint;
    item.append(name, hint);
    return item;
  }));
  show(field, list, found.length > 0 && document.activeElement === field);
}

/**
 * @param {HTMLInputElement} field
 * @param {HTMLElement} list
 * @param {boolean} open
 */
function show(field, list, open) {
  list.hidden = !open;
  field.setAttribute("aria-expanded", String(open));
  if (!open) field.removeAttribute("aria-activedescendant");
}

/**
 * @param {HTMLInputElement} field
 * @param {HTMLElement} list
 * @param {number} by
 */
function move(field, list, by) {
  const items = [...list.children];
  at = (at + by + items.length + (at < 0 && by < 0 ? 1 : 0)) % items.length;
  items.forEach((item, index) => item.setAttribute("aria-selected", String(index === at)));
  items[at]?.scrollIntoView({ block: "nearest" });
  field.setAttribute("aria-activedescendant", items[at]?.id ?? "");
}

/**
 * @param {HTMLInputElement} field
 * @param {HTMLElement} list
 * @param {Element | undefined} item
 */
function take(field, list, item) {
  if (!(item instanceof HTMLElement)) return;
  const { start, caret, minus } = word(field);
  const text = item.dataset.text ?? "";
  const whole = text.endsWith(":") || text.endsWith(".") ? text : `${text} `;
  field.setRangeText(whole, start + minus, caret, "end");
  field.focus();
  // As if it had been typed: what can follow is offered, what is complete is looked for.
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

export function start() {
  const field = document.querySelector("[data-complete] input[name=q]");
  const list = document.getElementById("options");
  if (!(field instanceof HTMLInputElement) || !list) return;
  field.role = "combobox";
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", "options");
  show(field, list, false);
  field.addEventListener("input", () => offer(field, list));
  field.addEventListener("blur", () => show(field, list, false));
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    take(field, list, event.target instanceof Element ? event.target.closest("li") ?? undefined : undefined);
  });
  field.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") move(field, list, 1);
    else if (event.key === "ArrowUp") move(field, list, -1);
    else if ((event.key === "Enter" || event.key === "Tab") && at >= 0) take(field, list, list.children[at]);
    else if (event.key === "Escape") show(field, list, false);
    else return;
    event.preventDefault();
  });
}
