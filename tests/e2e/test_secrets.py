#!/usr/bin/env python3
"""What must never be kept: canaries in prompt, answer, key, token signature and query are nowhere to be found."""

import os
import signal

from harness import clients
from harness.agent import Agent
from harness.calls import BODIES, jwt
from harness.case import Case, main, wait_until
from harness.server import Server

CANARIES = {
    "prompt": "CANARYprompt7f3a", "system": "CANARYsystem0b1c", "answer": "CANARYanswer91d2", "key": "sk-CANARYkey5e77aa01",
    "api-key": "CANARYapikey44c1", "signature": "Q0FOQVJZc2lnbmF0dXJl", "query": "CANARYquery2d9e",
    "tool argument": "CANARYargument3",
}
SUBJECT = "not-a-secret-subject"


def secret_calls():
    messages = [{"role": "system", "content": CANARIES["system"]}, {"role": "user", "content": CANARIES["prompt"]}]
    tools = [{"type": "function", "function": {"name": "f", "description": CANARIES["tool argument"]}}]
    credentials = ({"authorization": f"Bearer {jwt(SUBJECT, CANARIES['signature'])}"},
                   {"authorization": f"Bearer {CANARIES['key']}"}, {"x-api-key": CANARIES["key"]},
                   {"api-key": CANARIES["api-key"]})
    for kind in ("chat", "messages"):
        path, body = BODIES[kind]
        for headers in credentials:
            for scenario in ("", "gzip", "rate_limit", "error_in_stream"):
                yield {"path": f"{path}?key={CANARIES['query']}", "headers": headers | {"x-scenario": scenario},
                       "body": body | {"messages": messages, "tools": tools, "stream": scenario == "error_in_stream"}}
    path, body = BODIES["responses"]
    yield {"path": path, "headers": {}, "body": body | {"input": CANARIES["prompt"], "stream": True}}


class SecretsTest(Case):
    def test_no_canary_leaves(self):
        server = Server(self, "--text", CANARIES["answer"])
        agent = Agent(self)
        calls = list(secret_calls())
        for tls in (True, False):
            clients.HTTP_CLIENT.start(self, server, calls, tls=tls).end()
        # And one that is cut: reported as it stands when the agent ends.
        path, body = BODIES["chat"]
        cut = {"path": path, "headers": {"x-scenario": "slow", "authorization": f"Bearer {CANARIES['key']}"},
               "body": body | {"messages": [{"role": "user", "content": CANARIES["prompt"]}], "stream": True}}
        client = clients.Curl(self, server, cut)
        client.read_events(3)
        count = 2 * len(calls)
        agent.wait_for_records(count, *server.ports)
        agent.process.send_signal(signal.SIGHUP)  # reopens the file
        written = {"/metrics": agent.get("/metrics")[1], "/metrics as scraped": agent.scrape(),
                   "/healthz": agent.get("/healthz")[1], "/readyz": agent.get("/readyz")[1],
                   "an error page": agent.get("/nothing?" + "x" * 10)[1]}
        files = self.open_files(agent)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        wait_until(lambda: len(agent.records(*server.ports)) == count + 1, "the cut call's record")
        for file in files | self.files_below(agent.folder):
            with open(file, encoding="utf-8", errors="replace") as opened:
                written[file] = opened.read()
        self.assertIn(agent.records_file, written)
        self.assertIn(agent.log_file, written)
        self.assertIn(SUBJECT, written[agent.records_file], "the search finds nothing, not even what is there")
        hits = [f"{name} in {where}" for where, text in written.items() for name, canary in CANARIES.items()
                if canary in text]
        self.assertEqual(hits, [])
        print(f"{len(CANARIES)} canaries, {count + 1} calls, {len(written)} places: no hit")

    @staticmethod
    def open_files(agent):
        """Regular files that the agent has open for writing, wherever they are."""
        found = set()
        folder = f"/proc/{agent.process.pid}/fd"
        for number in os.listdir(folder):
            try:
                path = os.readlink(os.path.join(folder, number))
                with open(f"/proc/{agent.process.pid}/fdinfo/{number}", encoding="utf-8") as file:
                    flags = int(next(line.split()[1] for line in file if line.startswith("flags:")), 8)
            except FileNotFoundError:
                continue
            if path.startswith("/") and os.path.isfile(path) and flags & os.O_ACCMODE != os.O_RDONLY:
                found.add(path)
        return found

    @staticmethod
    def files_below(folder):
        return {os.path.join(below, name) for below, _, names in os.walk(folder) for name in names}


if __name__ == "__main__":
    main()
