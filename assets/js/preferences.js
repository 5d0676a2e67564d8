// What this browser prefers: exact times, compact rows, colours, whether the map is open. Kept here, nowhere else.

/** @type {Record<string, string>} */
const on = { times: "exact", rows: "compact" };

/**
 * @param {string} name
 * @param {string} value
 */
function prefer(name, value) {
  const root = document.documentElement;
  if (value) root.dataset[name] = value;
  else delete root.dataset[name];
  keep(name, value);
  show();
  document.dispatchEvent(new CustomEvent("preferred", { detail: { name } }));
}

function show() {
  const now = document.documentElement.dataset;
  for (const button of document.querySelectorAll("[data-pref]")) {
    button.setAttribute("aria-pressed", String(Boolean(now[button.getAttribute("data-pref") ?? ""])));
  }
  for (const button of document.querySelectorAll("[data-pref-set]")) {
    const name = button.getAttribute("data-pref-set") ?? "";
    button.setAttribute("aria-pressed", String((now[name] ?? "") === button.getAttribute("value")));
  }
}

/** Closes what was closed before; until now a style has hidden it, so that nothing jumps. */
function fold() {
  for (const part of document.querySelectorAll("details[data-fold]")) {
    const name = part.getAttribute("data-fold");
    if (!(part instanceof HTMLDetailsElement) || !name) continue;
    if (kept(name) === "shut") part.open = false;
    delete document.documentElement.dataset[name];
    part.addEventListener("toggle", () => keep(name, part.open ? "" : "shut"));
  }
}

/** @param {string} name */
function kept(name) {
  try {
    return localStorage.getItem(`rollcall.${name}`);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function keep(name, value) {
  try {
    if (value) localStorage.setItem(`rollcall.${name}`, value);
    else localStorage.removeItem(`rollcall.${name}`);
  } catch {
    // Storage is off: it holds until the page is left.
  }
}

/**
 * A menu closes when one clicks beside it or leaves it by Escape.
 * @param {Event} event
 */
function shut(event) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    const away = event instanceof KeyboardEvent ? event.key === "Escape" : !(event.target instanceof Node && menu.contains(event.target));
    if (away && menu instanceof HTMLDetailsElement) menu.open = false;
  }
}

export function start() {
  document.addEventListener("click", shut);
  document.addEventListener("keydown", shut);
  show();
  fold();
  document.addEventListener("swapped", fold);
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-pref], [data-pref-set], [data-copy]") : null;
    if (!button) return;
    const flip = button.getAttribute("data-pref");
    const set = button.getAttribute("data-pref-set");
    if (flip) prefer(flip, document.documentElement.dataset[flip] ? "" : on[flip] ?? "");
    else if (set) prefer(set, button.getAttribute("value") ?? "");
    else copy(button);
  });
}

/** @param {Element} button */
async function copy(button) {
  const field = button.parentElement?.querySelector("input");
  if (!field) return;
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.lastChild?.replaceWith("Copied");
  } catch {
    // Without permission the text is selected, which is one key away from a copy.
  }
}
