"""A running agent, watched from outside: its log, metrics, links and end."""

import contextlib
import glob
import http.client
import json
import os
import re
import resource
import signal
import subprocess
import tempfile
import time


def wait_until(condition, what, seconds=15.0):
    """The condition's first true value. Polled, because files and /proc do not tell."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what() if callable(what) else what}")
        time.sleep(0.02)


def settled(read, quiet=1.0, at_most=20.0):
    """Waits until what `read` returns has stood still for `quiet` seconds, and returns it."""
    last, since, until = read(), time.monotonic(), time.monotonic() + at_most
    while time.monotonic() - since < quiet and time.monotonic() < until:
        time.sleep(0.1)
        now = read()
        if now != last:
            last, since = now, time.monotonic()
    return last


def unlimited_core():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Agent:
    """Starts `program run` with `options`; what it leaves stands in `folder`. `prefix` is a command to start it with
    (ip netns exec NAME), and what asks it for its metrics."""

    def __init__(self, program, folder, *options, prefix=(), key_file=None, environment=None):
        self.folder, self.prefix, self.port = str(folder), list(prefix), None
        self.log_file = os.path.join(self.folder, "stderr")
        self.key_file = key_file or os.path.join(self.folder, "key")
        command = [*prefix, program, "run", "--listen", "127.0.0.1:0", "--key-secret", self.key_file, *options]
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, cwd=self.folder,
                                            preexec_fn=unlimited_core,
                                            env=os.environ | {"TMPDIR": self.folder, "LC_ALL": "C"} | (environment or {}))

    def wait_until_ready(self):
        self.port = int(wait_until(self.announced_port, lambda: "the agent's address; it says:\n" + self.said(), 30))
        wait_until(self.ready, lambda: "/readyz; the agent says:\n" + self.said(), 10)

    @property
    def pid(self):
        return self.process.pid

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def said(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def announced_port(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the agent ended with {self.process.returncode}:\n{self.said()}")
        found = re.search(r"serves http://\S*:(\d+)/metrics", self.said())
        return found and found[1]

    # --- what it serves -------------------------------------------------------------------------------------------

    def get(self, path, headers=None):
        """(status, body)"""
        if self.prefix:
            answer = subprocess.run([*self.prefix, "curl", "-s", "-w", "\n%{http_code}", self.url + path],
                                    capture_output=True, text=True)
            body, _, status = answer.stdout.rpartition("\n")
            return int(status or 0), body
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def ready(self):
        return self.get("/readyz")[0] == 200

    def scrape(self):
        """As Prometheus does."""
        return self.get("/metrics", {"X-Prometheus-Scrape-Timeout-Seconds": "10"})[1]

    def metric(self, name, **labels):
        """The sum over all series with these labels, as anyone but a scraper sees them."""
        return sum(value for found, value in samples(self.get("/metrics")[1], name)
                   if all(found.get(label) == wanted for label, wanted in labels.items()))

    # --- its end --------------------------------------------------------------------------------------------------

    def links(self):
        """The ids of the BPF links it holds."""
        found = set()
        for path in glob.glob(f"/proc/{self.pid}/fdinfo/*"):
            try:
                with open(path, encoding="utf-8") as file:
                    found |= {int(line.split()[1]) for line in file if line.startswith("link_id:")}
            except FileNotFoundError:
                pass  # closed meanwhile
        return found

    def stop(self, seconds=30.0):
        """Ends it in order: every call that is open leaves its record. (exit status, seconds it took)"""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds), time.monotonic() - began

    def kill(self):
        """Ends it at once, if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def running(build, *options, prefix=()):
    """The agent of a build folder, for a measurement or a show."""
    with tempfile.TemporaryDirectory(prefix="wiretally-live-") as folder:
        agent = Agent(os.path.abspath(os.path.join(build, "wiretally")), folder, *options, prefix=prefix)
        try:
            agent.wait_until_ready()
            yield agent
            agent.stop()
        finally:
            agent.kill()


def all_links():
    listed = subprocess.run(["bpftool", "-j", "link"], capture_output=True, text=True, check=True).stdout
    return {link["id"] for link in json.loads(listed or "[]")}


def samples(text, name):
    """[({label: value}, number)] of one family in the text format."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(re.escape(name) + r"(?:\{(.*)\})? (\S+)", line)
        if match:
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[1] or ""))
            found.append((labels, float(match[2])))
    return found
