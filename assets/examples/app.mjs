// A web app with its own sign-in that shares its sessions with Rollcall. Node alone, 18 or later.
// ROLLCALL: where Rollcall is. TOKEN: with the scope session:write. SECRET: of the webhook (rollcall app hook).
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const { ROLLCALL, TOKEN, SECRET, PORT = "8000" } = process.env;
const users = new Map([["ada", "engine"]]); // the app's own users; a real one keeps hashes
const sessions = new Map(); // the app's cookie -> the user, and Rollcall's id of the session

async function rollcall(method, path, body) {
  const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
  const asked = { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(5000) };
  const answer = await fetch(`${ROLLCALL}/api/v1/sessions${path}`, asked).catch(() => null);
  // Where Rollcall cannot be reached, this app lets nobody in meanwhile.
  return { status: answer?.status ?? 503, made: answer?.status === 201 ? await answer.json() : null };
}

const hmac = (text) => createHmac("sha256", Buffer.from(SECRET.replace(/^whsec_/, ""), "base64")).update(text);
const same = (a, b) => timingSafeEqual(hmac(a).digest(), hmac(b).digest()); // of whatever length
const cookie = (request) => /(?:^|; )notes=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
const client = (request) => ({ ip: request.socket.remoteAddress, user_agent: request.headers["user-agent"] ?? "" });

async function home(request) { // every request asks Rollcall, and tells it that the session is in use
  const known = sessions.get(cookie(request));
  if (!known) return [401, "Sign in"];
  const { status } = await rollcall("POST", `/${known.id}/touch`, client(request));
  if (status === 204) return [200, `Hello ${known.user}`];
  if (status === 404 || status === 410) sessions.delete(cookie(request));
  return [status === 503 ? 503 : 401, "Sign in"];
}
async function signIn(request, body) {
  const form = new URLSearchParams(body);
  const user = form.get("user") ?? "";
  if (!same(users.get(user) ?? randomBytes(32).toString("hex"), form.get("password") ?? "")) return [401, ""];
  const { made } = await rollcall("POST", "", { user, app: "notes", ...client(request) });
  if (!made) return [503, ""];
  const key = randomBytes(32).toString("base64url");
  sessions.set(key, { user, id: made.id });
  return [200, "", { "Set-Cookie": `notes=${key}; HttpOnly; SameSite=Lax; Path=/` }];
}
async function signOut(request) {
  const { id } = sessions.get(cookie(request)) ?? { id: "none" };
  sessions.delete(cookie(request));
  return [(await rollcall("DELETE", `/${id}`)).status, ""];
}
function told({ headers }, body) { // the webhook: a session has ended
  const right = hmac(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest("base64");
  const late = !(Math.abs(Date.now() / 1000 - Number(headers["webhook-timestamp"])) <= 300);
  if (late || !same(headers["webhook-signature"] ?? "", `v1,${right}`)) return [400, ""];
  const ended = JSON.parse(body).data.session;
  for (const [key, { id }] of sessions) if (id === ended) sessions.delete(key);
  return [204, ""];
}
const server = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray().catch(() => [])).toString();
  const how = request.method === "GET" ? home : { "/rollcall": told, "/signout": signOut }[request.url] ?? signIn;
  const [status, text, headers] = await Promise.resolve(how(request, body)).catch(() => [500, ""]);
  response.writeHead(status, headers ?? {}).end(text);
}).listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
