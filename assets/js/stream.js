// One event stream for all tabs of a session, because a browser opens six connections to a server and no more: with a stream in
// each, the seventh tab would hang. The tab that holds the lock reads it and tells the others; when it goes, the next one does.

/** @typedef {"open" | "lost" | "closed" | "away" | "ended" | "session" | "told"} Kind */
/** @typedef {{kind: Kind, data?: string}} Word */

/** How long is waited before a stream that was refused is tried again, in milliseconds. */
const AGAIN = 5000;

/** @type {Kind[]} */
const EVENTS = ["ended", "session", "told"];

/**
 * Follows what happens to sessions; `stop` is for a page that is about to leave.
 * @param {string} session
 * @param {(word: Word) => void} hear
 * @returns {{stop: () => void}}
 */
export function follow(session, hear) {
  const name = `sessions-${session}`;
  const channel = new BroadcastChannel(name);
  channel.addEventListener("message", (event) => hear(event.data));
  /** @type {EventSource | undefined} */
  let stream;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;
  let leaving = false;

  /** @param {Word} word */
  function say(word) {
    if (leaving) return;
    channel.postMessage(word);
    hear(word);
  }

  function open() {
    if (leaving || stream) return;
    stream = new EventSource("/api/v1/sessions/stream");
    stream.addEventListener("open", () => say({ kind: "open" }));
    stream.addEventListener("error", () => {
      if (stream?.readyState !== EventSource.CLOSED) return say({ kind: "lost" });
      // The session is over, or somebody between here and the server said no.
      shut();
      say({ kind: "closed" });
      again = setTimeout(open, AGAIN);
    });
    for (const kind of EVENTS) stream.addEventListener(kind, (event) => say({ kind, data: event.data }));
  }

  function shut() {
    clearTimeout(again);
    stream?.close();
    stream = undefined;
  }

  function stop() {
    leaving = true;
    shut();
  }

  // Without TLS there are no locks: then each tab has its own, but only while it is looked at.
  function look() {
    if (!document.hidden) return open();
    shut();
    hear({ kind: "away" });
  }

  if (navigator.locks) {
    // The lock is held until the page is gone.
    navigator.locks.request(name, () => new Promise(() => open())).catch(() => open());
  } else {
    document.addEventListener("visibilitychange", look);
    look();
  }
  addEventListener("pagehide", stop);
  return { stop };
}
