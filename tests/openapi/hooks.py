"""Who calls, for schemathesis: a signed-in administrator, or a program where a call takes no session (or where `PREFER` says
so). Calls that end the session at hand are answered as they should be; afterwards the administrator signs in again."""

import os
import subprocess

import requests
import requests.adapters
import schemathesis

HOME = os.environ["ROLLCALL_URL"]
TOKEN = os.environ["ROLLCALL_TOKEN"]
PREFER = os.environ["ROLLCALL_PREFER"]
PASSWORD = "nobody guesses this one"
admins = 0
browser = requests.Session()


class Elsewhere(requests.adapters.HTTPAdapter):
    """An address of its own: at the usual one, passwords are guessed."""

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, source_address=("127.0.0.2", 0), **kwargs)


browser.mount("http://", Elsewhere())


def sign_in():
    """A new administrator each time: what was called may have changed or removed the last one."""
    global admins
    admins += 1
    name = f"admin-{admins}"
    add = [os.environ["ROLLCALL_BIN"], "--data", os.environ["ROLLCALL_DATA"], "user", "add", name, "--role", "admin", "--password-stdin"]
    subprocess.run(add, input=PASSWORD.encode(), check=True, stdout=subprocess.DEVNULL)
    answer = browser.post(f"{HOME}/api/v1/signin", json={"user": name, "password": PASSWORD}, headers={"Origin": HOME})
    assert answer.status_code == 200, answer.text


def keys(case):
    return [key for keys in case.operation.definition.raw.get("security", []) for key in keys]


@schemathesis.serializer("application/x-ndjson", "application/x-protobuf")
def as_it_is(context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(context, case, kwargs):
    keyring = keys(case)
    headers = case.headers
    headers.pop("Authorization", None)
    if "session" in keyring and not (PREFER == "token" and "token" in keyring):
        if not browser.cookies.get("rollcall"):
            sign_in()
        headers["Cookie"] = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies)
        headers["Origin"] = HOME
    elif "token" in keyring:
        headers["Authorization"] = f"Bearer {TOKEN}"


@schemathesis.hook
def after_call(context, case, response):
    renewed = [line for line in response.headers.get("set-cookie", []) if line.startswith("rollcall=")]
    if "session" in keys(case) and (response.status_code == 401 or renewed):
        browser.cookies.pop("rollcall", None)
