#!/usr/bin/env python3
"""xAI's SDK over real gRPC (grpcio at both ends): the records are the server's book."""

import json
import os

from harness import clients
from harness.agent import Agent
from harness.case import CLIENTS, HERE, Case, main, wait_until
from harness.server import BookServer

PYTHON = os.path.join(CLIENTS, "venv", "bin", "python")
SERVER = [PYTHON, os.path.join(HERE, "server", "grpc_server.py")]
FIELDS = ("path", "end_user", "request_model", "response_model", "response_id", "stream", "outcome", "error_type",
          "finish_reason", "tool_calls", "input_tokens", "output_tokens", "reasoning_tokens", "cache_read_tokens",
          "usage_source", "request_bytes")

PLAIN = [{"kind": "sample", "prompt": "hello"}, {"kind": "stream", "prompt": "hello"},
         {"kind": "sample", "prompt": "hello", "tools": True}, {"kind": "sample", "prompt": "long"},
         {"kind": "stream", "prompt": "hello " + "word " * 20_000}]


class GrpcTest(Case):
    def setUp(self):
        super().setUp()
        if reason := clients.why_not("python")():
            self.skipTest(reason)

    def talk(self, server, calls):
        calls = [asked | {"user": f"user-{number}"} for number, asked in enumerate(calls)]
        job = {"target": f"127.0.0.1:{server.port}", "calls": calls}
        client = clients.Client(self, [PYTHON, os.path.join(HERE, "clients", "xai_client.py"), json.dumps(job)])
        client.end()

    def check(self, server, agent, count):
        wait_until(lambda: len(server.book()) >= count, lambda: f"{count} calls; there are {len(server.book())}")
        agent.wait_for_records(count, server.port)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        records = agent.records(server.port)
        by_call = sorted((tuple(str(record[field]) for field in FIELDS) for record in records))
        self.assertEqual(by_call, sorted(tuple(str(line[field]) for field in FIELDS) for line in server.book()))
        for record in records:
            told = {field: record[field] for field in ("dialect", "provider", "http_version", "status_code", "lost_bytes",
                                                       "credential_kind")}
            self.assertEqual(told, {"dialect": "xai_grpc", "provider": "x_ai", "http_version": "2", "status_code": 200,
                                    "lost_bytes": 0, "credential_kind": "api_key"}, record)
        return records

    def clear(self, calls, count=None):
        server = BookServer(self, SERVER)
        agent = Agent(self, "--no-tls", "--privacy-subjects", "plain")
        self.talk(server, calls)
        return self.check(server, agent, len(calls) if count is None else count)

    def test_plain_and_streamed(self):
        for record in self.clear(PLAIN):
            self.assertEqual(record["flags"], [])
            self.assertIsNotNone(record["cost_usd"], record)
            self.assertEqual(record["ttft_s"] is not None, record["stream"])

    def test_compressed(self):
        record, = self.clear([{"kind": "sample", "prompt": "gzip"}])
        self.assertEqual(record["flags"], [])
        self.assertLess(record["response_bytes"], 3000, "it was not compressed")

    def test_errors_and_gRPC_s_own_retries(self):
        records = self.clear([{"kind": "sample", "prompt": "exhausted", "fails": "RESOURCE_EXHAUSTED"},
                              {"kind": "stream", "prompt": "exhausted", "fails": "RESOURCE_EXHAUSTED"},
                              {"kind": "sample", "prompt": "unavailable"},  # the library tries again
                              {"kind": "stream", "prompt": "broken", "fails": "INTERNAL"}], 5)
        linked = [record for record in records if record["retry_of"] is not None]
        self.assertEqual([(record["end_user"], record["outcome"]) for record in linked], [("user-2", "ok")])

    def test_a_client_that_leaves(self):
        self.clear([{"kind": "stream", "prompt": "slow", "leave_after": 3}])

    def test_deferred(self):
        self.clear([{"kind": "defer", "prompt": "hello"}])


if __name__ == "__main__":
    main()
