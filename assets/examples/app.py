# A web app with its own sign-in that shares its sessions with Rollcall. Python's standard library alone.
# ROLLCALL: where Rollcall is. TOKEN: with the scope session:write. SECRET: of the webhook (rollcall app hook).
import base64, hmac, json, os, secrets, time, urllib.parse, urllib.request
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
USERS = {"ada": "engine"}  # the app's own users; a real one keeps hashes
sessions = {}  # the app's cookie -> the user, and Rollcall's id of the session

def rollcall(method, path, body=None):
    request = urllib.request.Request(os.environ["ROLLCALL"] + "/api/v1/sessions" + path, method=method,
        data=body and json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except OSError as refusal:  # where Rollcall cannot be reached, this app lets nobody in meanwhile
        return getattr(refusal, "code", 503), None

class App(BaseHTTPRequestHandler):
    def answer(self, status, text="", cookie=None):
        self.send_response(status)
        if cookie: self.send_header("Set-Cookie", f"notes={cookie}; HttpOnly; SameSite=Lax; Path=/")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def client(self): return {"ip": self.client_address[0], "user_agent": self.headers.get("User-Agent", "")}
    def cookie(self): return getattr(SimpleCookie(self.headers.get("Cookie")).get("notes"), "value", None)
    def do_GET(self):  # every request asks Rollcall, and tells it that the session is in use
        user, session = sessions.get(self.cookie(), (None, None))
        status = rollcall("POST", f"/{session}/touch", self.client())[0] if session else 401
        if status in (404, 410): sessions.pop(self.cookie(), None)
        self.answer({204: 200, 503: 503}.get(status, 401), f"Hello {user}" if status == 204 else "Sign in")
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        {"/rollcall": self.told, "/signout": self.sign_out}.get(self.path, self.sign_in)(body)
    def sign_in(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        password = USERS.get(form.get("user"), secrets.token_hex())
        if not hmac.compare_digest(password.encode(), form.get("password", "").encode()): return self.answer(401)
        status, made = rollcall("POST", "", {"user": form["user"], "app": "notes", **self.client()})
        if status != 201: return self.answer(503)
        key = secrets.token_urlsafe()
        sessions[key] = form["user"], made["id"]
        self.answer(200, cookie=key)
    def sign_out(self, _):
        self.answer(rollcall("DELETE", "/" + sessions.pop(self.cookie(), ("", "none"))[1])[0])
    def told(self, body):  # the webhook: a session has ended
        name, at, signed = (self.headers.get("webhook-" + part, "") for part in ("id", "timestamp", "signature"))
        right = "v1," + base64.b64encode(hmac.digest(KEY, f"{name}.{at}.".encode() + body, "sha256")).decode()
        if not hmac.compare_digest(right.encode(), signed.encode()) or abs(time.time() - int(at)) > 300: return self.answer(400)
        ended = json.loads(body)["data"]["session"]
        for key in [key for key, (_, session) in list(sessions.items()) if session == ended]: sessions.pop(key, None)
        self.answer(204)

server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8000))), App)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
