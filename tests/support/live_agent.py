"""Starts the agent for a measurement or a show, and reads its metrics."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import urllib.request


class Agent:
    """A running agent. `prefix` is what it was started through (`ip netns exec NAME`), and what reads its metrics."""

    def __init__(self, process, log, prefix):
        self.process, self.prefix, self._log, self.url = process, list(prefix), log, None

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        self._log.seek(0)
        return self._log.read()

    def get(self, path):
        if self.prefix:
            return subprocess.run(self.prefix + ["curl", "-sf", self.url + path], check=True, capture_output=True,
                                  text=True, timeout=10).stdout
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return response.read().decode()

    def metric(self, name):
        """A metric, summed over its labels."""
        values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", self.get("/metrics"), re.MULTILINE)
        return sum(float(value) for value in values)

    def wait_until_ready(self, seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            found = re.search(r"serves (http://\S+)/metrics", self.log())
            if found:
                self.url = found[1]
                with contextlib.suppress(OSError, subprocess.SubprocessError):
                    self.get("/readyz")
                    return
            time.sleep(0.05)
        raise RuntimeError("the agent did not become ready:\n" + self.log())

    def stop(self):
        """Ends it in order: every call that is open leaves its record."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextlib.contextmanager
def running(build, *options, prefix=(), listen="127.0.0.1:0"):
    with tempfile.TemporaryDirectory(prefix="wiretally-live-") as folder:
        with open(pathlib.Path(folder, "log"), "w+", encoding="utf-8") as log:
            command = [*prefix, pathlib.Path(build, "wiretally"), "run", "--listen", listen, "--key-secret",
                       pathlib.Path(folder, "key"), *options]
            process = subprocess.Popen(command, stderr=log, env={**os.environ, "LC_ALL": "C"})
            agent = Agent(process, log, prefix)
            try:
                agent.wait_until_ready()
                yield agent
            finally:
                agent.stop()


def settled(read, quiet=1.0, at_most=20.0):
    """Waits until what `read` returns has stood still for `quiet` seconds, and returns it."""
    last, since, until = read(), time.monotonic(), time.monotonic() + at_most
    while time.monotonic() - since < quiet and time.monotonic() < until:
        time.sleep(0.1)
        now = read()
        if now != last:
            last, since = now, time.monotonic()
    return last
