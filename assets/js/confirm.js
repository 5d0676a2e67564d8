// Asks before something is done that cannot be undone: one <dialog> for all. Enter confirms, Escape leaves.

/** @typedef {{title: string, text?: string, items?: string[], button: string, reason?: boolean}} Question */

/**
 * Asks, and answers with the reason given (maybe empty), or null where somebody thought better of it.
 * @param {Question} question
 * @returns {Promise<string | null>}
 */
export function ask(question) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("confirm"));
  const form = /** @type {HTMLFormElement} */ (dialog.querySelector("form"));
  const reason = /** @type {HTMLInputElement} */ (form.elements.namedItem("reason"));
  const yes = /** @type {HTMLButtonElement} */ (form.querySelector("button[value=yes]"));
  const label = /** @type {HTMLElement} */ (document.getElementById("confirm-reason"));
  put("confirm-title", question.title);
  put("confirm-text", question.text ?? "");
  const items = (question.items ?? []).slice(0, 50).map(line);
  const rest = (question.items?.length ?? 0) - items.length;
  if (rest > 0) items.push(line(`and ${rest.toLocaleString("en")} more`));
  document.getElementById("confirm-items")?.replaceChildren(...items);
  label.hidden = !question.reason;
  reason.value = "";
  yes.textContent = question.button;
  dialog.returnValue = "";
  dialog.showModal();
  (question.reason ? reason : yes).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes" ? reason.value.trim() : null), { once: true });
  });
}

/**
 * @param {string} id
 * @param {string} text
 */
function put(id, text) {
  const element = document.getElementById(id);
  if (element) element.textContent = text;
}

/** @param {string} text */
function line(text) {
  const item = document.createElement("li");
  item.textContent = text;
  return item;
}

export function start() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (event.defaultPrevented || !(form instanceof HTMLFormElement) || !form.dataset.confirm) return;
    event.preventDefault();
    const { confirm: title, text, button = "Go on" } = form.dataset;
    const reason = await ask({ title, text, button, reason: "reason" in form.dataset });
    if (reason === null) return;
    add(form, "confirmed", "1");
    if (reason) add(form, "reason", reason);
    form.submit();
  });
}

/**
 * Adds a hidden field.
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {string} value
 */
export function add(form, name, value) {
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = name;
  field.value = value;
  form.append(field);
}
