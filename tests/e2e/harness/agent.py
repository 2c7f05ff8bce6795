"""A running agent, watched from outside: its records, metrics, links and end."""

import glob
import http.client
import json
import os
import re
import resource
import signal
import subprocess
import time

from .case import AGENT, wait_until


def unlimited_core():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Agent:
    """`options` are those of `wiretally run`; `prefix` a command to start it with (ip netns exec NAME)."""

    def __init__(self, case, *options, prefix=()):
        self.folder = os.path.join(case.folder, f"agent-{time.monotonic_ns()}")
        os.mkdir(self.folder)
        self.records_file = os.path.join(self.folder, "records.ndjson")
        self.log_file = os.path.join(self.folder, "stderr")
        self.key_file = os.path.join(case.folder, "key")
        command = [*prefix, AGENT, "run", "--listen", "127.0.0.1:0", "--ndjson", self.records_file,
                   "--key-secret", self.key_file, "--count-hold", "1s", *options]
        self.log = open(self.log_file, "wb")
        self.prefix = prefix
        self.process = subprocess.Popen(command, stderr=self.log, stdout=self.log, cwd=self.folder,
                                        preexec_fn=unlimited_core, env=os.environ | {"TMPDIR": self.folder})
        case.addCleanup(self.clean_up)
        self.port = int(wait_until(self.announced_port, lambda: "the agent's address; it says:\n" + self.said(), 30))
        wait_until(self.ready, "/readyz", 10)

    def clean_up(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        self.log.close()

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
        if self.prefix:
            answer = subprocess.run([*self.prefix, "curl", "-s", "-w", "\n%{http_code}",
                                     f"http://127.0.0.1:{self.port}{path}"], capture_output=True, text=True)
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

    # --- what it writes -------------------------------------------------------------------------------------------

    def records(self, *ports):
        """The records of calls to these ports: other processes of this machine may make calls too."""
        try:
            with open(self.records_file, encoding="utf-8") as file:
                lines = [line for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []
        records = [json.loads(line) for line in lines]
        return [record for record in records if record["server_port"] in ports]

    def wait_for_records(self, count, *ports, seconds=15.0):
        wait_until(lambda: len(self.records(*ports)) >= count,
                   lambda: f"{count} records; there are {len(self.records(*ports))}\n{self.state(*ports)}", seconds)
        return self.records(*ports)

    def state(self, *ports):
        """What a failed wait needs to be understood."""
        records = [f"{record['request_id']} {record['source']} {record['outcome']} legs {record['legs']}"
                   for record in self.records(*ports)]
        moved = [line for line in self.get("/metrics")[1].splitlines()
                 if line.startswith("wiretally_") and not line.endswith(" 0") and "series" not in line]
        return "\n".join([*records, *moved, self.said()])

    # --- its end --------------------------------------------------------------------------------------------------

    def links(self):
        """The ids of the BPF links it holds."""
        found = set()
        for path in glob.glob(f"/proc/{self.process.pid}/fdinfo/*"):
            try:
                with open(path, encoding="utf-8") as file:
                    found |= {int(line.split()[1]) for line in file if line.startswith("link_id:")}
            except FileNotFoundError:
                pass  # closed meanwhile
        return found

    def stop(self, seconds=20.0):
        """(exit status, seconds it took)"""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds), time.monotonic() - began


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
