#!/usr/bin/env python3
"""Turns on real WebSockets over TLS, compressed and not: the records are the server's book.

Both ends run on this host, so each turn is seen twice and must be counted once (legs 2)."""

import json
import os
import subprocess

from harness import clients
from harness.agent import Agent
from harness.case import CLIENTS, HERE, Case, main, wait_until
from harness.compare import stated

PYTHON = os.path.join(CLIENTS, "venv", "bin", "python")
SERVER = os.path.join(HERE, "server", "websocket_server.py")


class SocketServer:
    def __init__(self, case, *options):
        self.book_file = case.path(f"book{len(options)}{''.join(options)}")
        self.process = subprocess.Popen([PYTHON, SERVER, self.book_file, *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.stop)
        ready = json.loads(self.process.stdout.readline())
        self.port, self.ca = ready["port"], ready["ca"]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def book(self):
        with open(self.book_file, encoding="utf-8") as file:
            return [json.loads(line) for line in file]


class WebSocketTest(Case):
    def setUp(self):
        super().setUp()
        if reason := clients.why_not("python")():
            self.skipTest(reason)

    def talk(self, server, path, messages):
        job = {"url": f"wss://127.0.0.1:{server.port}{path}", "ca": server.ca, "messages": messages}
        clients.Client(self, [PYTHON, os.path.join(HERE, "clients", "websocket_client.py"), json.dumps(job)]).end()

    def compare(self, server, records):
        told = [{field: stated(record)[field] for field in ("response_id", "outcome", "input_tokens", "output_tokens")}
                for record in sorted(records, key=lambda record: record["response_id"])]
        self.assertEqual(told, sorted(server.book(), key=lambda line: line["response_id"]))
        for record in records:
            self.assertEqual(record["lost_bytes"], 0, record)
            self.assertEqual(record["legs"], 2, record)
            self.assertEqual(record["status_code"], 101, record)
            self.assertEqual(record["credential_kind"], "api_key", record)

    def turns(self, *options):
        agent = Agent(self)
        server = SocketServer(self, *options)
        asked = [{"type": "response.create", "model": "gpt-5.5", "input": "word " * 50 * number}
                 for number in range(1, 6)]
        self.talk(server, "/v1/responses", asked)
        self.talk(server, "/v1/responses", [*asked[:2], asked[0] | {"leave": True}])
        self.talk(server, "/v1/realtime?model=gpt-realtime", [{"type": "response.create"}] * 3)
        wait_until(lambda: len(server.book()) == 11, "the book")
        records = agent.wait_for_records(11, server.port)
        self.compare(server, records)
        realtime = [record for record in records if record["dialect"] == "openai_realtime"]
        self.assertEqual({record["request_model"] for record in realtime}, {"gpt-realtime"})
        self.assertEqual({record["response_model"] for record in realtime}, {"gpt-realtime-2025-08-28"})
        self.assertEqual(len(realtime), 3)
        status, _ = agent.stop()
        self.assertEqual(status, 0)

    def test_compressed_with_context_takeover(self):
        self.turns()

    def test_compressed_without_context_takeover(self):
        self.turns("--no-takeover")

    def test_plain(self):
        self.turns("--plain")


main()
