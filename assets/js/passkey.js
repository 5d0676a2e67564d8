// Passkeys: the browser asks the device, the server asks the questions and checks the answers.

/** @typedef {{token: string, options: object}} Question */

/**
 * Posts JSON; what comes back, or the server's own sentence as an error.
 * @param {string} path
 * @param {object} [body]
 */
async function post(path, body = {}) {
  const answer = await fetch(`/api/v1/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    credentials: "same-origin",
    body: JSON.stringify(body),
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error?.message ?? `the server answered ${answer.status}`);
  return said;
}

/**
 * Says what went wrong where the form says such things.
 * @param {HTMLFormElement} form
 * @param {unknown} error
 */
function tell(form, error) {
  const line = form.querySelector("[data-passkey-line]");
  if (!(line instanceof HTMLElement)) return;
  // Whoever closes the browser's own dialog knows that they did.
  const closed = error instanceof DOMException && (error.name === "NotAllowedError" || error.name === "AbortError");
  const text = error instanceof Error ? error.message : "it did not work";
  line.textContent = closed ? "No passkey was used." : text.charAt(0).toUpperCase() + text.slice(1) + ".";
  line.hidden = false;
}

/** @param {HTMLFormElement} form */
async function add(form) {
  const fields = new FormData(form);
  /** @type {Question} */
  const { token, options } = await post("me/passkeys/begin", { password: fields.get("current") });
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(/** @type {any} */ (options));
  const made = /** @type {PublicKeyCredential} */ (await navigator.credentials.create({ publicKey }));
  await post("me/passkeys", { token, name: fields.get("name"), credential: made.toJSON() });
  location.assign("/profile?done=passkey-added");
}

/** @param {HTMLFormElement} form */
async function show(form) {
  /** @type {Question} */
  const { token, options } = await post("signin/passkey/begin");
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(/** @type {any} */ (options));
  const shown = /** @type {PublicKeyCredential} */ (await navigator.credentials.get({ publicKey }));
  await post("signin/passkey", { token, credential: shown.toJSON() });
  const next = form.dataset.next || "/sessions";
  // An app is reached by way of the sign-in page, which leads on whoever is signed in.
  location.assign(next.startsWith("/") ? next : `/signin?rd=${encodeURIComponent(next)}`);
}

export function start() {
  const able = "PublicKeyCredential" in window && "parseCreationOptionsFromJSON" in PublicKeyCredential;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!(form instanceof HTMLFormElement)) continue;
    if (!able) continue;
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const done = form.dataset.passkey === "add" ? add(form) : show(form);
      done.catch((error) => tell(form, error));
    });
  }
}
