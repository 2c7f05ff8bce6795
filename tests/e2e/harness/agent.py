"""The agent of an end-to-end test: with its records, and gone when the test is over."""

import json
import os
import time

from .case import AGENT, wait_until  # first: it shows where live_agent is
import live_agent
from live_agent import all_links, samples  # noqa: F401


class Agent(live_agent.Agent):
    """`options` are those of `wiretally run`; `prefix` a command to start it with (ip netns exec NAME)."""

    def __init__(self, case, *options, prefix=(), environment=None):
        folder = os.path.join(case.folder, f"agent-{time.monotonic_ns()}")
        os.mkdir(folder)
        self.records_file = os.path.join(folder, "records.ndjson")
        super().__init__(AGENT, folder, "--ndjson", self.records_file, "--count-hold", "1s", *options, prefix=prefix,
                         key_file=os.path.join(case.folder, "key"), environment=environment)
        case.addCleanup(self.kill)
        self.wait_until_ready()

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
