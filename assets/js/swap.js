// Replaces a named part of the page: fetches it alone, puts it in place, moves the address along.
// This is the only place where text becomes elements.

/** @typedef {{push?: boolean, quiet?: boolean, keep?: boolean, patient?: boolean}} How push moves the address, keep replaces it; quiet is what nobody asked for: old rows stay undimmed, and it is no use of the session; patient is while one types */

/** How long what cannot be understood stands before it is called wrong, while one types, in milliseconds. */
const PATIENCE = 700;

/** @typedef {{createHTML: (text: string) => string}} Policy text that may become elements */
/** @type {{createPolicy: (name: string, rules: Policy) => Policy} | undefined} */
const trusted = Reflect.get(window, "trustedTypes");
/** @type {Policy} */
const same = { createHTML: (text) => text };
const policy = trusted ? trusted.createPolicy("fragment", same) : same;

/** @type {Map<string, AbortController>} */
const under = new Map();

/**
 * Elements from a fragment this server rendered.
 * @param {string} text
 * @returns {DocumentFragment}
 */
export function elements(text) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(text);
  return template.content;
}

/**
 * The text of the block `name` at an address. Leaves the page where the session has ended.
 * @param {string} name
 * @param {string | URL} address
 * @param {{signal?: AbortSignal, quiet?: boolean}} [how]
 * @returns {Promise<string>}
 */
export async function fragment(name, address, { signal, quiet } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Fragment: name, ...(quiet && { Background: "1" }) };
  const answer = await fetch(address, { headers, credentials: "same-origin", signal });
  const there = new URL(answer.url);
  if (answer.status === 401 || (answer.redirected && there.pathname === "/signin")) {
    location.assign(`/signin?next=${encodeURIComponent(location.pathname + location.search)}`);
    throw new DOMException("signed out", "AbortError");
  }
  if (answer.headers.get("content-type")?.startsWith("text/html") !== true) throw new Error(`${answer.status}`);
  const text = await answer.text();
  if (/<html[\s>]/i.test(text.slice(0, 500))) throw new Error("a whole page instead of a part of it");
  return text;
}

/**
 * Replaces what is in `#name` by the block `name` of an address. The latest wish wins.
 * @param {string} name
 * @param {string | URL} address
 * @param {How} [how]
 */
export async function swap(name, address, how = {}) {
  const target = document.getElementById(name);
  if (!target) return void location.assign(address);
  under.get(name)?.abort();
  const control = new AbortController();
  under.set(name, control);
  const dim = how.quiet ? undefined : setTimeout(() => target.classList.add("waiting"), 150);
  target.setAttribute("aria-busy", "true");
  let stale = false;
  try {
    const text = await fragment(name, address, { signal: control.signal, quiet: how.quiet });
    if (how.patient && elements(text).querySelector(".fault .error")) await pause(control.signal);
    replace(target, text);
    if (how.push) history.pushState({ name }, "", address);
    else if (how.keep) history.replaceState({ name }, "", address);
    document.dispatchEvent(new CustomEvent("swapped", { detail: { name } }));
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    if (how.quiet) return;
    // Nobody is led away from what they are typing; what is shown no longer answers it, and looks so.
    if (how.patient) stale = true;
    else location.assign(address);
  } finally {
    clearTimeout(dim);
    if (under.get(name) === control) {
      under.delete(name);
      target.classList.toggle("waiting", stale);
      target.removeAttribute("aria-busy");
    }
  }
}

/**
 * Waits for PATIENCE, unless something newer is wished for.
 * @param {AbortSignal} signal
 */
const pause = (signal) => new Promise((done, fail) => {
  setTimeout(done, PATIENCE);
  signal.addEventListener("abort", () => fail(signal.reason));
});

/** Whether the address tells of what was being typed: what follows takes its place in the history. */
export const unsettled = () => new URLSearchParams(location.search).has("typing");

/**
 * Puts new content in place and keeps the field one is typing in: its focus, text and caret.
 * @param {HTMLElement} target
 * @param {string} text
 */
function replace(target, text) {
  const field = document.activeElement;
  const typing = field instanceof HTMLInputElement && target.contains(field) && field.type === "search" ? field : null;
  const content = elements(text);
  const twin = typing && content.querySelector(`input[name="${CSS.escape(typing.name)}"]`);
  if (!typing || !twin) return target.replaceChildren(content);
  const { value, selectionStart, selectionEnd } = typing;
  target.replaceChildren(content);
  if (!(twin instanceof HTMLInputElement)) return;
  twin.value = value;
  twin.focus({ preventScroll: true });
  twin.setSelectionRange(selectionStart, selectionEnd);
}

/**
 * The address a GET form leads to, without its empty fields.
 * @param {HTMLFormElement} form
 */
export function question(form) {
  const address = new URL(form.action);
  address.search = "";
  for (const [name, value] of new FormData(form)) {
    if (typeof value === "string" && value !== "") address.searchParams.append(name, value);
  }
  return address;
}

export function start() {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a[data-swap]") : null;
    if (!link) return;
    const href = link.getAttribute("href");
    const name = link.getAttribute("data-swap");
    if (!href || !name) return;
    event.preventDefault();
    swap(name, href, { push: true }).then(() => {
      if (link.getAttribute("rel") === "next" || link.getAttribute("rel") === "prev") document.getElementById(name)?.scrollIntoView();
    });
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || !(form instanceof HTMLFormElement) || !form.dataset.swap) return;
    event.preventDefault();
    swap(form.dataset.swap, question(form), { [unsettled() ? "keep" : "push"]: true });
  });
  addEventListener("popstate", () => location.reload());
}
