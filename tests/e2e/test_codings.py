#!/usr/bin/env python3
"""Content codings with real clients, by probes and by packets: every call with its tokens, whatever its coding."""

import subprocess

from harness import clients
from harness.agent import Agent
from harness.calls import call
from harness.case import Case, main
from harness.compare import differences
from harness.server import Server

CODINGS = ("gzip", "deflate", "br", "zstd")


def calls():
    return [call(kind, coding, stream) for coding in CODINGS for kind in ("chat", "messages")
            for stream in (False, True)]


class CodingsTest(Case):
    def check(self, agent, server, count, tls=True):
        served = server.wait_for_calls(count)
        agent.wait_for_records(count, *server.ports)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        records = agent.records(*server.ports)
        self.assertEqual(len(records), count)
        self.assertEqual(differences(served, records, legs=2 if tls else None), [])
        print(f"{count} calls, {sum(record['output_tokens'] for record in records)} output tokens exact")

    def by(self, kind, tls):
        if reason := kind.reason_to_skip():
            self.skipTest(reason)
        server = Server(self)
        agent = Agent(self, *([] if tls else ["--no-tls"]))
        kind.start(self, server, calls(), tls=tls).end()
        self.check(agent, server, len(calls()), tls)

    def test_httpx(self):
        self.by(clients.HTTPX, tls=True)

    def test_fetch(self):
        self.by(clients.FETCH_STATIC, tls=True)

    def test_http_client_in_the_clear(self):
        self.by(clients.HTTP_CLIENT, tls=False)

    def test_curl_compressed(self):
        """curl decodes all of them itself: what it prints is what the server meant."""
        server = Server(self)
        agent = Agent(self)
        for asked in calls():
            command = clients.curl_command(server, asked) + ["--compressed"]
            said = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
            self.assertIn(b'"usage"', said)
        self.check(agent, server, len(calls()))


if __name__ == "__main__":
    main()
