#!/usr/bin/env python3
"""Real HTTP/2, by packets in clear text (h2c) and by probes over TLS: the records are the server's book.

Every answer has an id and numbers of its own, so that streams that are mixed up show."""

import json
import os
import shutil
import socket
import subprocess

from harness import clients
from harness.agent import Agent
from harness.case import CLIENTS, HERE, Case, main, wait_until
from harness.server import BookServer, certificate

PATH = "/v1/chat/completions"
FIELDS = ("response_id", "request_id", "request_model", "response_model", "input_tokens", "output_tokens", "stream",
          "request_bytes")


PYTHON = os.path.join(CLIENTS, "venv", "bin", "python")
GO = os.path.join(CLIENTS, "go_http2")

# Each server answers alike and keeps a book; each client takes the same job.
SERVERS = {
    "node": ["node", os.path.join(HERE, "server", "http2_server.mjs")],
    "hypercorn": [PYTHON, os.path.join(HERE, "server", "http2_server.py")],
    "go": [GO, "server"],
}
CLIENT_COMMANDS = {
    "node": ["node", os.path.join(HERE, "clients", "http2_client.mjs")],
    "httpx": [PYTHON, os.path.join(HERE, "clients", "http2_client.py")],
    "go": [GO, "client"],
}
FROM_REGISTRIES = {"hypercorn": "http2", "httpx": "http2", "go": "go"}


def bodies(count, together, name="gpt"):
    return [{"model": f"{name}-{number}", "stream": number % 2 == 0, "metadata": {"together": together},
             "messages": [{"role": "user", "content": "word " * (number * 37 % 400)}]} for number in range(count)]


class Http2Test(Case):
    needs = ("node", "openssl")

    def need(self, *programs):
        absent = [program for program in programs if shutil.which(program) is None]
        if absent:
            self.skipTest(f"{', '.join(absent)} not installed")

    def talk(self, server, asked, connections, client="node"):
        job = {"url": server.url, "ca": server.ca, "connections": connections, "path": PATH, "bodies": asked}
        clients.Client(self, [*CLIENT_COMMANDS[client], json.dumps(job)]).end()

    def fifty_streams(self, client, kind, connections=1, tls=False):
        """Fifty calls at once: none is answered before all are asked, and then they are answered in turns."""
        for program in {client, kind} & FROM_REGISTRIES.keys():
            if reason := clients.why_not(FROM_REGISTRIES[program])():
                self.skipTest(reason)
        server = BookServer(self, SERVERS[kind], tls)
        agent = Agent(self, *([] if tls else ["--no-tls"]))
        self.talk(server, bodies(50, together=50), connections, client)
        records = self.check(server, agent, 50, "tls" if tls else "packet")
        if tls:
            self.assertEqual({record["legs"] for record in records}, {2})

    def curl(self, server, body, *options):
        more = ["--cacert", server.ca] if server.ca else []
        subprocess.run(["curl", "-sS", "-f", "-m", "20", "-o", "/dev/null", *options, *more, server.url + PATH,
                        "-H", "content-type: application/json", "--data-binary", json.dumps(body)], check=True)

    def check(self, server, agent, count, source):
        """Each line of the book is a record, and no other record is there."""
        wait_until(lambda: len(server.book()) >= count, lambda: f"{count} calls; there are {len(server.book())}")
        agent.wait_for_records(count, server.port)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        records = agent.records(server.port)
        self.assertEqual(sorted(tuple(record[field] for field in FIELDS) for record in records),
                         sorted(tuple(line[field] for field in FIELDS) for line in server.book()))
        self.assertEqual(len(records), count)
        for record in records:
            told = {field: record[field] for field in ("http_version", "outcome", "status_code", "lost_bytes", "source",
                                                       "path", "flags")}
            self.assertEqual(told, {"http_version": "2", "outcome": "ok", "status_code": 200, "lost_bytes": 0,
                                    "source": source, "path": PATH, "flags": []}, record)
        return records

    # --- h2c, by packets ----------------------------------------------------------------------------------------------

    def test_fifty_streams_of_one_connection(self):
        self.fifty_streams("node", "node")

    def test_two_connections_with_equal_stream_ids(self):
        self.fifty_streams("node", "node", connections=2)

    def test_httpx_and_hypercorn(self):
        self.fifty_streams("httpx", "hypercorn")

    def test_httpx_and_hypercorn_on_two_connections(self):
        self.fifty_streams("httpx", "hypercorn", connections=2)

    def test_go(self):
        """With trailers behind half of the answers."""
        self.fifty_streams("go", "go")

    def test_go_on_two_connections(self):
        self.fifty_streams("go", "go", connections=2)

    def test_go_client_and_node(self):
        self.fifty_streams("go", "node")

    def test_node_client_and_go(self):
        self.fifty_streams("node", "go", connections=2)

    def test_curl_with_prior_knowledge(self):
        self.need("curl")
        server = BookServer(self, SERVERS["node"])
        agent = Agent(self, "--no-tls")
        for body in bodies(4, together=1):
            self.curl(server, body, "--http2-prior-knowledge")
        self.check(server, agent, 4, "packet")

    def test_curl_upgrades(self):
        """A GET with Upgrade: h2c becomes stream 1 of what goes on as HTTP/2; the call is stream 3. (nghttpd takes up no
        upgrade, and nobody's server takes up that of a request with a body.)"""
        self.need("curl")
        if reason := clients.why_not("python")():
            self.skipTest(reason)
        server = BookServer(self, SERVERS["hypercorn"])
        agent = Agent(self, "--no-tls")
        for body in bodies(4, together=1):
            said = subprocess.run(
                ["curl", "-sS", "-v", "-f", "-m", "20", "-o", "/dev/null", "--http2", server.url + "/health",
                 "--next", "-sS", "-f", "-m", "20", "-o", "/dev/null", "--http2", server.url + PATH,
                 "-H", "content-type: application/json", "--data-binary", json.dumps(body)],
                check=True, capture_output=True, text=True).stderr
            self.assertIn("Received 101", said)
            self.assertIn("Re-using existing connection", said)
        self.check(server, agent, 4, "packet")

    def h2load(self, tls):
        self.need("h2load")
        server = BookServer(self, SERVERS["node"], tls)
        agent = Agent(self, *([] if tls else ["--no-tls"]))
        for number, body in enumerate(bodies(2, together=10)):
            file = self.path(f"body{number}")
            with open(file, "w", encoding="utf-8") as opened:
                json.dump(body, opened)
            subprocess.run(["h2load", "-n", "100", "-c", "4", "-m", "10", "-d", file, "-H",
                            "content-type: application/json", server.url + PATH], check=True, capture_output=True)
        return self.check(server, agent, 200, "tls" if tls else "packet")

    def test_h2load(self):
        self.h2load(tls=False)

    def nghttp(self, tls):
        """nghttp to nghttpd, which serves answers from files: twenty-five at once on a connection, padded, with and without
        priorities."""
        self.need("nghttp", "nghttpd")
        paths = [f"/tenant-{number}{PATH}" for number in range(50)]
        for number, path in enumerate(paths):
            answer = {"id": f"chatcmpl-nghttpd-{number}", "object": "chat.completion", "model": "gpt-5.5", "choices": [],
                      "usage": {"prompt_tokens": 1000 + number, "completion_tokens": number + 1,
                                "total_tokens": 1001 + 2 * number}}
            file = self.path("files" + path)
            os.makedirs(os.path.dirname(file))
            with open(file, "w", encoding="utf-8") as opened:
                json.dump(answer, opened)
        body = self.path("body")
        with open(body, "w", encoding="utf-8") as opened:
            json.dump(bodies(1, together=1)[0], opened)
        port = free_port()
        secured = list(certificate(self)) if tls else []
        daemon = subprocess.Popen(["nghttpd", *([] if tls else ["--no-tls"]), "-a", "127.0.0.1", "-b", "32", "-d",
                                   self.path("files"), str(port), *secured],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (daemon.kill(), daemon.wait()))
        wait_until(lambda: answers(port), "nghttpd")
        agent = Agent(self, *([] if tls else ["--no-tls"]))
        for these, options in ((paths[:25], []), (paths[25:], ["--no-dep"])):
            subprocess.run(["nghttp", "-n", "-b", "64", "-H", ":method: POST", "-H", "content-type: application/json",
                            "-d", body, *options,
                            *[f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}" for path in these]],
                           check=True, capture_output=True, timeout=20)
        agent.wait_for_records(50, port)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        told = [(record["response_id"], record["input_tokens"], record["output_tokens"], record["request_model"],
                 record["http_version"], record["lost_bytes"], record["source"], record["legs"])
                for record in agent.records(port)]
        self.assertEqual(sorted(told), sorted(
            (f"chatcmpl-nghttpd-{number}", 1000 + number, number + 1, "gpt-0", "2", 0, "tls" if tls else "packet",
             2 if tls else 1) for number in range(50)))

    def test_nghttp_with_padding(self):
        self.nghttp(tls=False)

    # --- TLS, by probes -----------------------------------------------------------------------------------------------

    def test_fifty_streams_over_tls(self):
        self.fifty_streams("node", "node", connections=2, tls=True)

    def test_httpx_and_hypercorn_over_tls(self):
        self.fifty_streams("httpx", "hypercorn", connections=2, tls=True)

    def test_h2load_over_tls(self):
        records = self.h2load(tls=True)
        self.assertEqual({record["legs"] for record in records}, {2})

    def test_nghttp_over_tls(self):
        self.nghttp(tls=True)

    def test_curl_over_tls(self):
        self.need("curl")
        server = BookServer(self, SERVERS["node"], tls=True)
        agent = Agent(self)
        for body in bodies(4, together=1):
            self.curl(server, body, "--http2")
        records = self.check(server, agent, 4, "tls")
        self.assertEqual({record["legs"] for record in records}, {2})

    # --- WebSockets (RFC 8441) ----------------------------------------------------------------------------------------

    def websockets(self, deflate, tls):
        """Three at once on one connection, between h2 with wsproto and hypercorn."""
        if reason := clients.why_not("python")():
            self.skipTest(reason)
        server = BookServer(self, SERVERS["hypercorn"], tls)
        agent = Agent(self, *([] if tls else ["--no-tls"]))
        asked = [[{"type": "response.create", "model": f"gpt-{number}", "input": f"word {number} " * 50 * number}
                  for number in range(first, first + 4)] for first in (1, 5, 9)]
        job = {"host": "127.0.0.1", "port": server.port, "ca": server.ca, "path": "/v1/responses", "deflate": deflate,
               "sockets": asked}
        clients.Client(self, [PYTHON, os.path.join(HERE, "clients", "http2_websocket_client.py"), json.dumps(job)]).end()
        self.assertEqual(len(server.book()), 12)
        records = agent.wait_for_records(12, server.port)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        fields = ("response_id", "outcome", "input_tokens", "output_tokens", "request_model")
        self.assertEqual(sorted(tuple(record[field] for field in fields) for record in agent.records(server.port)),
                         sorted(tuple(line[field] for field in fields) for line in server.book()))
        for record in records:
            told = {field: record[field] for field in ("http_version", "status_code", "lost_bytes", "source", "legs",
                                                       "path", "flags", "credential_kind")}
            self.assertEqual(told, {"http_version": "2", "status_code": 200, "lost_bytes": 0,
                                    "source": "tls" if tls else "packet", "legs": 2 if tls else 1,
                                    "path": "/v1/responses", "flags": [], "credential_kind": "api_key"}, record)

    def test_websockets(self):
        self.websockets(deflate=False, tls=False)

    def test_compressed_websockets(self):
        self.websockets(deflate=True, tls=False)

    def test_websockets_over_tls(self):
        self.websockets(deflate=True, tls=True)


def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def answers(port):
    with socket.socket() as opened:
        return opened.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
