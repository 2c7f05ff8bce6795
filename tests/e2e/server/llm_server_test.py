#!/usr/bin/env python3
"""The scripted server's book says what the wire carried."""

import base64
import gzip
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

import event_stream

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "llm_server.py")

BODIES = {
    "/v1/chat/completions": {"model": "gpt-4o", "messages": []},
    "/openai/deployments/d/chat/completions?api-version=1": {"messages": []},
    "/v1/completions": {"model": "gpt-3.5-turbo-instruct", "prompt": "x"},
    "/v1/responses": {"model": "gpt-5.5", "input": "x"},
    "/v1/messages": {"model": "claude-opus-4-7", "max_tokens": 9, "messages": []},
}


def jwt(payload):
    encode = lambda text: base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return f'{encode("{}")}.{encode(payload)}.c2ln'


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.book = os.path.join(self.folder.name, "book.ndjson")
        self.process = subprocess.Popen([sys.executable, SERVER, "--book", self.book], stdout=subprocess.PIPE)
        self.ready = json.loads(self.process.stdout.readline())

    def tearDown(self):
        self.process.terminate()
        self.assertEqual(self.process.wait(10), 0)
        self.process.stdout.close()
        self.assertFalse(os.path.exists(self.ready["ca"]))
        self.folder.cleanup()

    def lines(self, count):
        """The book in order of the calls, once it has that many lines."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with open(self.book, encoding="utf-8") as file:
                lines = sorted((json.loads(line) for line in file), key=lambda line: line["number"])
            if len(lines) >= count:
                return lines
            time.sleep(0.01)
        self.fail(f"{len(lines)} lines of {count}")

    def connect(self, tls=False):
        if tls:
            context = ssl.create_default_context(cafile=self.ready["ca"])
            connection = http.client.HTTPSConnection("localhost", self.ready["https"], timeout=10, context=context)
        else:
            connection = http.client.HTTPConnection("localhost", self.ready["http"], timeout=10)
        self.addCleanup(connection.close)
        return connection

    def post(self, path, body, headers=None, tls=False, connection=None):
        connection = connection or self.connect(tls)
        connection.request("POST", path, json.dumps(body), headers or {})
        answer = connection.getresponse()
        data = answer.read()
        if answer.getheader("content-encoding") == "gzip":
            data = gzip.decompress(data)
        elif coding := answer.getheader("content-encoding"):
            command = {"br": ["brotli", "-dc"], "zstd": ["zstd", "-dcq"]}[coding]
            data = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
        return answer.status, data

    @staticmethod
    def events(data):
        blocks = data.decode().split("\n\n")
        texts = [line[6:] for block in blocks for line in block.split("\n") if line.startswith("data: ")]
        return [json.loads(text) for text in texts if text != "[DONE]"]

    def test_whole_answers_over_both_ports_coded_or_not(self):
        served = 0
        for tls in (False, True):
            for scenario in ("", "gzip", "br", "zstd", "tools"):
                for path, body in BODIES.items():
                    status, data = self.post(path, body, {"x-scenario": scenario}, tls)
                    served += 1
                    line = self.lines(served)[-1]
                    self.assertEqual((status, line["outcome"], line["tls"]), (200, "ok", tls), path)
                    self.assertEqual(line["response_bytes"], len(data))
                    self.assertEqual(line["response_id"], json.loads(data)["id"])
                    self.check_usage(line, json.loads(data)["usage"])

    def test_another_server_gives_other_ids(self):
        self.post("/v1/chat/completions", BODIES["/v1/chat/completions"])
        mine = self.lines(1)[0]
        book = os.path.join(self.folder.name, "other.ndjson")
        with subprocess.Popen([sys.executable, SERVER, "--book", book], stdout=subprocess.PIPE) as other:
            port = json.loads(other.stdout.readline())["http"]
            connection = http.client.HTTPConnection("localhost", port, timeout=10)
            self.post("/v1/chat/completions", BODIES["/v1/chat/completions"], connection=connection)
            connection.close()
            other.terminate()
        with open(book, encoding="utf-8") as file:
            theirs = json.loads(file.readline())
        self.assertEqual(mine["input_tokens"], theirs["input_tokens"])
        self.assertNotEqual(mine["response_id"], theirs["response_id"])
        self.assertNotEqual(mine["request_id"], theirs["request_id"])

    def check_usage(self, line, usage):
        if "cache_read_input_tokens" in usage:
            self.assertEqual(line["input_tokens"], usage["input_tokens"] + usage["cache_read_input_tokens"]
                             + usage["cache_creation_input_tokens"])
            self.assertEqual(line["output_tokens"], usage["output_tokens"])
        else:
            self.assertEqual(line["input_tokens"], usage.get("prompt_tokens", usage.get("input_tokens")))
            self.assertEqual(line["output_tokens"], usage.get("completion_tokens", usage.get("output_tokens")))
        self.assertEqual((line["input_source"], line["output_source"]), ("reported", "reported"))

    def test_streams_on_one_connection(self):
        connection = self.connect(tls=True)
        served = 0
        for scenario in ("", "gzip"):
            for path, body in BODIES.items():
                asked = body | {"stream": True, "stream_options": {"include_usage": True}}
                status, data = self.post(path, asked, {"x-scenario": scenario}, connection=connection)
                served += 1
                line = self.lines(served)[-1]
                self.assertEqual((status, line["outcome"], line["stream"]), (200, "ok", True))
                self.assertEqual(line["response_bytes"], len(data))
                self.assertEqual(line["finish_reason"], "stop")
                self.assertEqual(line["output_source"], "reported")
                self.assertIn(str(line["output_tokens"]), data.decode())

    def test_streams_without_usage(self):
        self.post("/v1/chat/completions", {"model": "m", "stream": True})
        self.post("/v1/chat/completions", {"model": "m--no_usage", "stream": True,
                                           "stream_options": {"include_usage": True}})
        self.post("/v1/messages", {"model": "m--no_usage", "stream": True})
        self.post("/v1/responses", {"model": "m--no_usage", "stream": True})
        for line in self.lines(4):
            self.assertEqual((line["outcome"], line["input_tokens"], line["output_tokens"], line["input_source"]),
                             ("ok", None, None, "none"))

    def test_running_usage(self):
        _, data = self.post("/v1/chat/completions", {"model": "m--running_usage", "stream": True})
        usages = [event["usage"] for event in self.events(data) if event.get("usage")]
        self.assertEqual(len(usages), 9)
        self.assertEqual(self.lines(1)[0]["output_tokens"], usages[-1]["completion_tokens"])

    def test_embeddings(self):
        for form in ("float", "base64"):
            _, data = self.post("/v1/embeddings", {"input": ["a", "b"], "dimensions": 8, "encoding_format": form})
            self.assertEqual(len(json.loads(data)["data"]), 2)
        for line in self.lines(2):
            self.assertEqual((line["operation"], line["output_tokens"], line["input_source"]),
                             ("embeddings", None, "reported"))

    def test_errors(self):
        for path, code in (("/v1/chat/completions", "rate_limit_exceeded"), ("/v1/messages", "rate_limit_error")):
            status, data = self.post(path, {"model": "m"}, {"x-scenario": "rate_limit,gzip"})
            self.assertEqual(status, 429)
            self.assertIn(code, data.decode())
        connection = self.connect()
        connection.request("POST", "/v1/messages", "no json")
        self.assertEqual(connection.getresponse().status, 400)
        lines = self.lines(3)
        self.assertEqual([line["outcome"] for line in lines], ["http_error"] * 3)
        self.assertEqual([line["error_type"] for line in lines],
                         ["rate_limit_exceeded", "rate_limit_error", "invalid_request_error"])

    def test_error_in_a_stream(self):
        for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages"):
            status, data = self.post(path, {"model": "m--error_in_stream", "stream": True})
            self.assertEqual(status, 200)
            self.assertIn("error", json.dumps(self.events(data)[-1]))
        lines = self.lines(3)
        self.assertEqual({line["outcome"] for line in lines}, {"stream_error"})
        self.assertEqual([line["error_type"] for line in lines], ["server_error", "server_error", "overloaded_error"])
        self.assertEqual([line["input_source"] for line in lines], ["none", "none", "reported"])
        self.assertEqual({line["output_tokens"] for line in lines}, {None})

    def test_server_abort(self):
        for tls in (False, True):
            with self.assertRaises((http.client.IncompleteRead, ssl.SSLError, ConnectionError)):
                self.post("/v1/chat/completions", {"model": "m--server_abort", "stream": True}, tls=tls)
        self.assertEqual([line["outcome"] for line in self.lines(2)], ["server_abort"] * 2)

    def test_client_abort(self):
        for tls in (False, True):
            connection = self.connect(tls)
            connection.request("POST", "/v1/messages", json.dumps({"model": "m--slow", "stream": True}))
            answer = connection.getresponse()
            answer.readline()
            answer.close()
            connection.close()
        lines = self.lines(2)
        self.assertEqual([line["outcome"] for line in lines], ["client_abort"] * 2)
        self.assertEqual([line["input_source"] for line in lines], ["reported"] * 2)
        self.assertEqual([line["output_source"] for line in lines], ["none"] * 2)

    def test_never_answered(self):
        for tls in (False, True):
            connection = self.connect(tls)
            connection.request("POST", "/v1/chat/completions", json.dumps({"model": "m--never"}))
            connection.sock.settimeout(0.1)
            with self.assertRaises(TimeoutError):
                connection.getresponse()
            connection.close()
        for line in self.lines(2):
            self.assertEqual((line["status_code"], line["outcome"]), (None, "client_abort"))

    def test_an_aws_message_has_both_checksums(self):
        """Against bytes that AWS's own library makes."""
        self.assertEqual(event_stream.message({}, b"").hex(), "000000100000000005c248eb7d98c8ff")
        headers = {":event-type": "metadata", ":content-type": "application/json", ":message-type": "event"}
        made = event_stream.message(headers, b'{"usage":{"inputTokens":9,"outputTokens":3,"totalTokens":12}}')
        self.assertEqual((len(made), made[:12].hex(), made[-4:].hex()), (155, "0000009b0000004e5290a5ff", "dcf24dd0"))

    def test_other_providers_formats(self):
        """Whole and streamed, each number of the book stands in what was sent."""
        turns = {"messages": [{"role": "user", "content": "x"}]}
        asked = (("/v1beta/models/gemini-2.5-flash:generateContent", {"contents": []}, None),
                 ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", {"contents": []}, None),
                 ("/v2/chat", turns | {"model": "command-a"}, None), ("/v2/chat", turns | {"model": "c", "stream": True}, None),
                 ("/v1/chat/completions", turns | {"model": "m"}, "api.mistral.ai"),
                 ("/v1/chat/completions", turns | {"model": "m", "stream": True}, "api.mistral.ai"),
                 ("/openai/v1/chat/completions", turns | {"model": "m"}, "api.groq.com"),
                 ("/openai/v1/chat/completions", turns | {"model": "m", "stream": True}, "api.groq.com"),
                 ("/api/chat", turns | {"model": "qwen3:8b"}, None),
                 ("/model/us.anthropic.claude-opus-4-7/converse", turns, None),
                 ("/model/us.anthropic.claude-opus-4-7/converse-stream", turns, None),
                 ("/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke", turns, None))
        for number, (path, body, host) in enumerate(asked, 1):
            with self.subTest(path, body=body):
                status, data = self.post(path, body, {"host": f"{host}:1"} if host else {})
                line = self.lines(number)[-1]
                self.assertEqual((status, line["outcome"], line["response_bytes"]), (200, "ok", len(data)))
                self.assertTrue(line["request_model"])
                if line["dialect"] == "gemini_generate":
                    self.assertIn(f'"totalTokenCount": {line["input_tokens"] + line["output_tokens"]}', data.decode())
                else:
                    self.assertIn(str(line["output_tokens"]), data.decode(errors="replace"))
                self.assertEqual((line["input_source"], line["output_source"]), ("reported", "reported"))

    def test_what_fails_once_succeeds_then(self):
        headers = {"x-scenario": "rate_limit,once", "x-session-id": "one"}
        statuses = [self.post("/v1/messages", {"model": "m"}, headers)[0] for _ in range(2)]
        self.assertEqual(statuses, [429, 200])
        self.assertEqual([(line["session"], line["attempt"]) for line in self.lines(2)], [("one", 1), ("one", 2)])

    def test_callers(self):
        asked = [{"authorization": "Bearer " + jwt('{"sub":"me","iss":"them"}')},
                 {"authorization": "Bearer " + jwt('{"sub":"a","sub":"b"}')},
                 {"authorization": "Bearer sk-a"}, {"x-api-key": "sk-a"}, {"api-key": "sk-b"}, {}]
        for headers in asked:
            self.post("/v1/chat/completions", {"model": "m", "user": "u"}, headers)
        lines = self.lines(len(asked))
        self.assertEqual([line["credential_kind"] for line in lines], ["jwt", "jwt", "api_key", "api_key", "api_key", "none"])
        self.assertEqual([line["subject"] for line in lines], ["me", None, None, None, None, None])
        self.assertEqual(lines[2]["key_digest"], lines[3]["key_digest"])
        self.assertNotEqual(lines[2]["key_digest"], lines[4]["key_digest"])
        self.assertEqual(lines[0]["end_user"], "u")

    def test_no_two_calls_share_their_numbers(self):
        for _ in range(30):
            self.post("/v1/messages", {"model": "m"})
        lines = self.lines(30)
        self.assertEqual(len({(line["input_tokens"], line["output_tokens"]) for line in lines}), 30)
        self.assertEqual(len({line["response_id"] for line in lines}), 30)

    def test_request_bodies(self):
        def pieces():
            yield b'{"model":"m",'
            yield b'"messages":[]}'
        connection = self.connect()
        connection.request("POST", "/v1/chat/completions", pieces(), {"transfer-encoding": "chunked"},
                           encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 200)
        self.assertEqual(self.lines(1)[0]["request_bytes"], 27)

        big = json.dumps({"model": "m", "messages": ["x" * (20 << 20)]})
        self.assertEqual(self.post("/v1/chat/completions", json.loads(big), tls=True)[0], 200)
        self.assertEqual(self.lines(2)[1]["request_bytes"], len(big))

    def test_http_1_0_streams_end_with_the_connection(self):
        body = json.dumps({"model": "m", "stream": True})
        with socket.create_connection(("localhost", self.ready["http"]), timeout=10) as client:
            client.sendall(f"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
            data = b""
            while piece := client.recv(65536):
                data += piece
        self.assertTrue(data.endswith(b"data: [DONE]\n\n"))
        self.assertNotIn(b"transfer-encoding", data)

    def test_other_requests_are_not_in_the_book(self):
        connection = self.connect()
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.read()), (200, b'{"status":"ok"}'))
        self.assertEqual(self.post("/messages", {}, connection=connection)[0], 404)
        self.assertEqual(self.post("/v1/chat/completions", {"model": "m"}, connection=connection)[0], 200)
        self.assertEqual(len(self.lines(1)), 1)


if __name__ == "__main__":
    unittest.main()
