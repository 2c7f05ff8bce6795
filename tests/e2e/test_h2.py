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
from harness.case import HERE, Case, main, wait_until

PATH = "/v1/chat/completions"
FIELDS = ("response_id", "request_id", "request_model", "response_model", "input_tokens", "output_tokens", "stream",
          "request_bytes")


def bodies(count, together, name="gpt"):
    return [{"model": f"{name}-{number}", "stream": number % 2 == 0, "metadata": {"together": together},
             "messages": [{"role": "user", "content": "word " * (number * 37 % 400)}]} for number in range(count)]


class Server:
    """http2_server.mjs with its book."""

    def __init__(self, case, tls=False):
        self.book_file = case.path("book")
        self.ca = None
        open(self.book_file, "w", encoding="utf-8").close()
        command = ["node", os.path.join(HERE, "server", "http2_server.mjs"), self.book_file]
        if tls:
            key, self.ca = case.path("key.pem"), case.path("ca.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", self.ca],
                           check=True, capture_output=True)
            command += [key, self.ca]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.stop)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def book(self):
        with open(self.book_file, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]


class Http2Test(Case):
    needs = ("node", "openssl")

    def need(self, *programs):
        absent = [program for program in programs if shutil.which(program) is None]
        if absent:
            self.skipTest(f"{', '.join(absent)} not installed")

    def talk(self, server, asked, connections):
        job = {"url": server.url, "ca": server.ca, "connections": connections, "path": PATH, "bodies": asked}
        clients.Client(self, ["node", os.path.join(HERE, "clients", "http2_client.mjs"), json.dumps(job)]).end()

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
        server = Server(self)
        agent = Agent(self, "--no-tls")
        self.talk(server, bodies(50, together=50), connections=1)
        self.check(server, agent, 50, "packet")

    def test_two_connections_with_equal_stream_ids(self):
        server = Server(self)
        agent = Agent(self, "--no-tls")
        self.talk(server, bodies(50, together=50), connections=2)
        self.check(server, agent, 50, "packet")

    def test_curl_with_prior_knowledge(self):
        self.need("curl")
        server = Server(self)
        agent = Agent(self, "--no-tls")
        for body in bodies(4, together=1):
            self.curl(server, body, "--http2-prior-knowledge")
        self.check(server, agent, 4, "packet")

    def test_h2load(self):
        self.need("h2load")
        server = Server(self)
        agent = Agent(self, "--no-tls")
        for number, body in enumerate(bodies(2, together=10)):
            file = self.path(f"body{number}")
            with open(file, "w", encoding="utf-8") as opened:
                json.dump(body, opened)
            subprocess.run(["h2load", "-n", "100", "-c", "4", "-m", "10", "-d", file, "-H",
                            "content-type: application/json", server.url + PATH], check=True, capture_output=True)
        self.check(server, agent, 200, "packet")

    def test_nghttp_with_padding(self):
        """nghttp to nghttpd, which serves one answer from a file."""
        self.need("nghttp", "nghttpd")
        answer = {"id": "chatcmpl-nghttpd", "object": "chat.completion", "model": "gpt-5.5", "choices": [],
                  "usage": {"prompt_tokens": 1234, "completion_tokens": 56, "total_tokens": 1290}}
        file = self.path("files" + PATH + ".json")
        os.makedirs(os.path.dirname(file))
        with open(file, "w", encoding="utf-8") as opened:
            json.dump(answer, opened)
        os.rename(file, file.removesuffix(".json"))
        body = self.path("body")
        with open(body, "w", encoding="utf-8") as opened:
            json.dump(bodies(1, together=1)[0], opened)
        port = free_port()
        daemon = subprocess.Popen(["nghttpd", "--no-tls", "-a", "127.0.0.1", "-b", "32", "-d", self.path("files"),
                                   str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (daemon.kill(), daemon.wait()))
        wait_until(lambda: answers(port), "nghttpd")
        agent = Agent(self, "--no-tls")
        subprocess.run(["nghttp", "-n", "-b", "64", "-H", ":method: POST", "-H", "content-type: application/json", "-d",
                        body, f"http://127.0.0.1:{port}{PATH}"], check=True, capture_output=True, timeout=20)
        agent.wait_for_records(1, port)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        told = [(record["response_id"], record["input_tokens"], record["output_tokens"], record["request_model"],
                 record["http_version"], record["lost_bytes"]) for record in agent.records(port)]
        self.assertEqual(told, [("chatcmpl-nghttpd", 1234, 56, "gpt-0", "2", 0)])

    # --- TLS, by probes -----------------------------------------------------------------------------------------------

    def test_fifty_streams_over_tls(self):
        server = Server(self, tls=True)
        agent = Agent(self)
        self.talk(server, bodies(50, together=50), connections=2)
        records = self.check(server, agent, 50, "tls")
        self.assertEqual({record["legs"] for record in records}, {2})

    def test_curl_over_tls(self):
        self.need("curl")
        server = Server(self, tls=True)
        agent = Agent(self)
        for body in bodies(4, together=1):
            self.curl(server, body, "--http2")
        records = self.check(server, agent, 4, "tls")
        self.assertEqual({record["legs"] for record in records}, {2})


def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def answers(port):
    with socket.socket() as opened:
        return opened.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
