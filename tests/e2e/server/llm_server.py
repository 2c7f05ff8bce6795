#!/usr/bin/env python3
"""A scripted LLM server that writes down what it served.

Speaks OpenAI chat, completions, Responses and embeddings and Anthropic messages over clear text and TLS (two
ports), and keeps a book: one JSON line for each call, flushed when the call ends, in the field names of the usage
record, so that a test compares the two by name. Token numbers derive from the call's number: no two calls share
them. Lines stand in order of the calls' ends, which may be after the client has its answer; `number` gives the order
of their beginnings.

When it is ready it prints one JSON line: {"http": port, "https": port, "ca": file, "book": file, "pid": pid}.

What it does is chosen by the request header `x-scenario` or, for clients that cannot set one, by the model name behind
`--` ("gpt-4o--gzip"); several words are joined with commas:

    gzip, deflate, br, zstd
                      the answer is coded so (JSON and streams, flushed at each event)
    no_usage          a stream that carries no usage, asked for or not
    running_usage     OpenAI streams repeat the usage so far in every chunk
    tools             the answer calls a tool
    rate_limit        429 with a JSON error
    server_error      500 with a JSON error
    error_in_stream   200, half of the events, then an error event and the end
    server_abort      200, half of the events, then the connection is closed
    slow              a stream of 600 events, 50 ms apart: time to abort it or to kill the client
    never             the request is read and never answered

`x-events` sets how many content events a stream has, `x-interval` the seconds between two of them.
"""

import argparse
import base64
import binascii
import dataclasses
import hashlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import coders


# --- the book ---------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Call:
    """What was served so far. Tokens and sources hold what has gone over the wire, not what would have."""

    number: int
    unique: str  # what its ids end in
    path: str
    dialect: str
    operation: str
    tls: bool
    server_port: int
    client_port: int
    method: str = "POST"
    scenario: str = ""
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    request_id: str | None = None
    stream: bool = False
    status_code: int | None = None
    outcome: str = "ok"
    error_type: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_source: str = "none"
    output_source: str = "none"
    tool_calls: list = dataclasses.field(default_factory=list)
    service_tier: str | None = None
    subject: str | None = None
    issuer: str | None = None
    credential_kind: str = "none"
    key_digest: str | None = None  # SHA-256 of the credential, shortened: tells keys apart, is none
    end_user: str | None = None
    request_bytes: int = 0
    response_bytes: int = 0  # decoded
    start: float = 0.0
    end: float = 0.0

    def state(self, **fields):
        for name, value in fields.items():
            setattr(self, name, value)


class Book:
    def __init__(self, path):
        self._file = open(path, "a", encoding="utf-8")
        self._lock = threading.Lock()
        self._calls = 0
        # Two servers on one machine are two providers: an agent that sees both must not take their calls for one.
        self._run = secrets.token_hex(6)

    def next_number(self):
        """(the call's number, the same made unique among all servers)"""
        with self._lock:
            self._calls += 1
            return self._calls, f"{self._run}{self._calls:08d}"

    def write(self, call):
        call.end = time.time()
        with self._lock:
            self._file.write(json.dumps(dataclasses.asdict(call)) + "\n")
            self._file.flush()


# --- what is served ---------------------------------------------------------------------------------------------------

class Tokens:
    """The numbers of one call; `input` includes what the cache gave and took."""

    def __init__(self, number):
        self.uncached = 1000 + 11 * number
        self.cache_read = 64 * (number % 5)
        self.write_5m = 10 * (number % 3)
        self.write_1h = 100 * (number % 2)
        self.output = 20 + 3 * number
        self.reasoning = number % 7
        self.openai_input = self.uncached + self.cache_read
        self.anthropic_input = self.openai_input + self.write_5m + self.write_1h


@dataclasses.dataclass
class Event:
    data: dict | str
    name: str | None = None
    states: dict = dataclasses.field(default_factory=dict)  # of the call, once this event is on the wire

    def encode(self):
        text = self.data if isinstance(self.data, str) else json.dumps(self.data)
        name = f"event: {self.name}\n" if self.name else ""
        return f"{name}data: {text}\n\n".encode()


class Dialect:
    """One wire format. `script` is what the scenario asks for, `body` the request's JSON."""

    name = ""
    operation = "chat"
    default_model = "gpt-4o-mini"

    def __init__(self, call, script, body, text):
        self.call, self.script, self.body, self.text = call, script, body, text
        self.tokens = Tokens(call.number)
        self.model = body.get("model") or self.default_model
        self.tool = "get_weather" if "tools" in script.words else None

    def headers(self):
        return {"x-request-id": self.call.request_id, "openai-organization": "org-scripted",
                "x-ratelimit-remaining-requests": "4999", "x-ratelimit-remaining-tokens": "399000"}

    def error(self, kind):
        code = {"rate_limit": "rate_limit_exceeded", "server_error": "server_error"}[kind]
        return code, {"error": {"message": "scripted", "type": code, "param": None, "code": code}}

    def stream_error(self):
        code, body = self.error("server_error")
        return Event(body, states={"error_type": code})

    def words(self):
        """The answer's text in as many pieces as the stream has content events."""
        for i in range(self.script.events):
            yield f"{self.text} {i} "

    def whole_text(self):
        return "".join(f"{self.text} {i} " for i in range(3))

    def answer(self):
        """(JSON of a whole answer, what it states)"""
        raise NotImplementedError

    def stream(self):
        raise NotImplementedError


class OpenaiChat(Dialect):
    name = "openai_chat"
    prefix = "chatcmpl"
    chunk_object, whole_object = "chat.completion.chunk", "chat.completion"

    def identity(self):
        return {"response_id": f"{self.prefix}-{self.call.unique}", "response_model": self.model,
                "service_tier": "default"}

    def finish(self):
        finish = "tool_calls" if self.tool else "stop"
        return finish, {"finish_reason": finish, "tool_calls": [self.tool] if self.tool else []}

    def usage(self, output=None):
        """(the wire's usage object, what it states); `output` where it is still running."""
        t = self.tokens
        final = output is None
        output = t.output if final else output
        usage = {"prompt_tokens": t.openai_input, "completion_tokens": output,
                 "total_tokens": t.openai_input + output,
                 "prompt_tokens_details": {"cached_tokens": t.cache_read, "audio_tokens": 0},
                 "completion_tokens_details": {"reasoning_tokens": t.reasoning if final else 0}}
        return usage, {"input_tokens": t.openai_input, "cache_read_tokens": t.cache_read, "output_tokens": output,
                       "reasoning_tokens": t.reasoning if final else 0, "input_source": "reported",
                       "output_source": "reported" if final else "partial"}

    def head(self, kind):
        return {"id": self.identity()["response_id"], "object": kind, "created": 1700000000, "model": self.model,
                "service_tier": "default", "system_fingerprint": "fp_scripted"}

    def whole_choice(self, finish):
        message = {"role": "assistant", "content": None if self.tool else self.whole_text(), "refusal": None}
        if self.tool:
            message["tool_calls"] = [{"id": "call_1", "type": "function",
                                      "function": {"name": self.tool, "arguments": '{"usage":{"prompt_tokens":1}}'}}]
        return {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}

    def piece(self, word, first, finish=None):
        delta = {"role": "assistant", "content": word} if first else {"content": word} if word else {}
        if self.tool and first:
            delta = {"role": "assistant", "content": None, "tool_calls": [
                {"index": 0, "id": "call_1", "type": "function", "function": {"name": self.tool, "arguments": ""}}]}
        elif self.tool and word:
            delta = {"tool_calls": [{"index": 0, "function": {"arguments": word}}]}
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}

    def answer(self):
        finish, finish_states = self.finish()
        usage, usage_states = self.usage()
        body = self.head(self.whole_object) | {"choices": [self.whole_choice(finish)], "usage": usage}
        return body, self.identity() | finish_states | usage_states

    def stream(self):
        include = (self.body.get("stream_options") or {}).get("include_usage", False)
        running = "running_usage" in self.script.words
        silent = "no_usage" in self.script.words or not (include or running)
        head = self.head(self.chunk_object)
        for i, word in enumerate(self.words()):
            chunk = head | {"choices": [self.piece(word, i == 0)]}
            states = self.identity() if i == 0 else {}
            if running and not silent:
                chunk["usage"], usage_states = self.usage(output=i + 1)
                states = states | usage_states
            elif include and not silent:
                chunk["usage"] = None
            yield Event(chunk, states=states)
        finish, finish_states = self.finish()
        yield Event(head | {"choices": [self.piece("", False, finish)]} | ({} if silent else {"usage": None}),
                    states=finish_states)
        if not silent:
            usage, usage_states = self.usage()
            yield Event(head | {"choices": [], "usage": usage}, states=usage_states)
        yield Event("[DONE]")


class OpenaiCompletions(OpenaiChat):
    name = "openai_completions"
    operation = "text_completion"
    default_model = "gpt-3.5-turbo-instruct"
    prefix = "cmpl"
    chunk_object = whole_object = "text_completion"

    def finish(self):
        return "stop", {"finish_reason": "stop"}

    def whole_choice(self, finish):
        return {"index": 0, "text": self.whole_text(), "logprobs": None, "finish_reason": finish}

    def piece(self, word, first, finish=None):
        return {"index": 0, "text": word, "logprobs": None, "finish_reason": finish}


class OpenaiResponses(Dialect):
    name = "openai_responses"

    def identity(self):
        return {"response_id": f"resp_{self.call.unique}", "response_model": self.model}

    def response(self, status, usage):
        output = []
        if status == "completed":
            output = [{"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": self.tool,
                       "arguments": "{}"}] if self.tool else [
                {"type": "message", "id": "msg_1", "role": "assistant",
                 "content": [{"type": "output_text", "text": self.whole_text(), "annotations": []}]}]
        return {"id": self.identity()["response_id"], "object": "response", "status": status, "model": self.model,
                "service_tier": "default", "output": output, "error": None, "incomplete_details": None,
                "usage": usage}

    def usage(self):
        t = self.tokens
        usage = {"input_tokens": t.openai_input, "input_tokens_details": {"cached_tokens": t.cache_read},
                 "output_tokens": t.output, "output_tokens_details": {"reasoning_tokens": t.reasoning},
                 "total_tokens": t.openai_input + t.output}
        return usage, {"input_tokens": t.openai_input, "cache_read_tokens": t.cache_read, "output_tokens": t.output,
                       "reasoning_tokens": t.reasoning, "input_source": "reported", "output_source": "reported",
                       "service_tier": "default", "finish_reason": "tool_calls" if self.tool else "stop",
                       "tool_calls": [self.tool] if self.tool else []}

    def answer(self):
        usage, states = self.usage()
        return self.response("completed", usage), self.identity() | states

    def event(self, kind, states=None, **members):
        self.sequence = getattr(self, "sequence", -1) + 1
        return Event({"type": kind, "sequence_number": self.sequence} | members, name=kind, states=states or {})

    def stream(self):
        opening = self.identity() | {"service_tier": "default"}
        yield self.event("response.created", opening, response=self.response("in_progress", None))
        for word in self.words():
            yield self.event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta=word)
        usage, states = self.usage()
        if "no_usage" in self.script.words:
            usage = None
            states = {name: states[name] for name in ("finish_reason", "tool_calls")}
        yield self.event("response.completed", states, response=self.response("completed", usage))

    def stream_error(self):
        return self.event("error", {"error_type": "server_error"}, code="server_error", message="scripted", param=None)


class OpenaiEmbeddings(Dialect):
    name = "openai_embeddings"
    operation = "embeddings"
    default_model = "text-embedding-3-small"

    def answer(self):
        asked = self.body.get("input", "")
        count = len(asked) if isinstance(asked, list) and asked and not isinstance(asked[0], int) else 1
        dimensions = int(self.body.get("dimensions") or 64)
        numbers = [((i * 37 + self.call.number) % 1000) / 1000 for i in range(dimensions)]
        vector = numbers
        if self.body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{dimensions}f", *numbers)).decode()
        tokens = self.tokens.uncached
        body = {"object": "list", "model": self.model,
                "data": [{"object": "embedding", "index": i, "embedding": vector} for i in range(count)],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
        return body, {"response_model": self.model, "input_tokens": tokens, "input_source": "reported"}


class AnthropicMessages(Dialect):
    name = "anthropic_messages"
    default_model = "claude-opus-4-7"

    def headers(self):
        return {"request-id": self.call.request_id, "anthropic-organization-id": "org-scripted",
                "anthropic-ratelimit-requests-remaining": "49"}

    def error(self, kind):
        kind = {"rate_limit": "rate_limit_error", "server_error": "api_error"}[kind]
        return kind, {"type": "error", "error": {"type": kind, "message": "scripted"}}

    def stream_error(self):
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "scripted"}}
        return Event(error, name="error", states={"error_type": "overloaded_error"})

    def identity(self):
        return {"response_id": f"msg_{self.call.unique}", "response_model": self.model,
                "service_tier": "standard"}

    def input_usage(self):
        t = self.tokens
        usage = {"input_tokens": t.uncached, "cache_creation_input_tokens": t.write_5m + t.write_1h,
                 "cache_read_input_tokens": t.cache_read, "service_tier": "standard",
                 "cache_creation": {"ephemeral_5m_input_tokens": t.write_5m, "ephemeral_1h_input_tokens": t.write_1h}}
        return usage, {"input_tokens": t.anthropic_input, "cache_read_tokens": t.cache_read,
                       "cache_write_5m_tokens": t.write_5m, "cache_write_1h_tokens": t.write_1h,
                       "input_source": "reported"}

    def finish(self):
        return ("tool_use" if self.tool else "end_turn",
                {"finish_reason": "tool_calls" if self.tool else "stop", "tool_calls": [self.tool] if self.tool else [],
                 "output_tokens": self.tokens.output, "output_source": "reported"})

    def answer(self):
        usage, input_states = self.input_usage()
        reason, finish_states = self.finish()
        block = {"type": "text", "text": self.whole_text()}
        if self.tool:
            block = {"type": "tool_use", "id": "toolu_1", "name": self.tool, "input": {"usage": {"input_tokens": 1}}}
        body = {"id": self.identity()["response_id"], "type": "message", "role": "assistant", "model": self.model,
                "content": [block], "stop_reason": reason, "stop_sequence": None,
                "usage": usage | {"output_tokens": self.tokens.output}}
        return body, self.identity() | input_states | finish_states

    @staticmethod
    def event(kind, states=None, **members):
        return Event({"type": kind} | members, name=kind, states=states or {})

    def stream(self):
        silent = "no_usage" in self.script.words
        usage, input_states = self.input_usage()
        message = {"id": self.identity()["response_id"], "type": "message", "role": "assistant", "model": self.model,
                   "content": [], "stop_reason": None, "stop_sequence": None}
        states = self.identity() if silent else self.identity() | input_states
        if silent:
            states.pop("service_tier")
        else:
            message["usage"] = usage | {"output_tokens": 1}
        yield self.event("message_start", states, message=message)
        block = {"type": "tool_use", "id": "toolu_1", "name": self.tool, "input": {}} if self.tool else {
            "type": "text", "text": ""}
        yield self.event("content_block_start", index=0, content_block=block)
        yield self.event("ping")
        for word in self.words():
            delta = {"type": "input_json_delta", "partial_json": word} if self.tool else {
                "type": "text_delta", "text": word}
            yield self.event("content_block_delta", index=0, delta=delta)
        yield self.event("content_block_stop", index=0)
        reason, finish_states = self.finish()
        if silent:
            finish_states = {name: finish_states[name] for name in ("finish_reason", "tool_calls")}
        final = {} if silent else {"usage": {"output_tokens": self.tokens.output}}
        yield self.event("message_delta", finish_states, delta={"stop_reason": reason, "stop_sequence": None}, **final)
        yield self.event("message_stop")


PATHS = (("/chat/completions", OpenaiChat), ("/completions", OpenaiCompletions), ("/responses", OpenaiResponses),
         ("/embeddings", OpenaiEmbeddings), ("/messages", AnthropicMessages))


def dialect_of(path):
    if not (path.startswith("/v1/") or path.startswith("/openai/")):
        return None
    return next((dialect for tail, dialect in PATHS if path.endswith(tail)), None)


class Script:
    """What a request asks the server to do."""

    def __init__(self, headers, model):
        asked = headers.get("x-scenario") or (model or "").partition("--")[2]
        self.words = [word for word in asked.split(",") if word]
        slow = "slow" in self.words
        self.events = int(headers.get("x-events") or (600 if slow else 8))
        self.interval = float(headers.get("x-interval") or (0.05 if slow else 0))


# --- who calls --------------------------------------------------------------------------------------------------------

def unique_members(pairs):
    members = dict(pairs)
    for name in {name for name, _ in pairs}:
        if sum(name == other for other, _ in pairs) > 1:
            members[name] = None
    return members


def jwt_claims(token):
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header, payload = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)),
                                      object_pairs_hook=unique_members) for part in parts[:2])
    except (ValueError, binascii.Error):
        return None
    return payload if isinstance(header, dict) and isinstance(payload, dict) else None


def caller_of(headers, target):
    authorization = headers.get("authorization", "")
    token = authorization.partition(" ")[2].strip() if authorization.lower().startswith("bearer ") else ""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
    token = (token or headers.get("x-api-key") or headers.get("api-key") or headers.get("x-goog-api-key")
             or query.get("key", [""])[0])
    if not token:
        return {}
    digest = {"key_digest": hashlib.sha256(token.encode()).hexdigest()[:16]}
    claims = jwt_claims(token)
    if claims is None:
        oauth = token.startswith(("ya29.", "sk-ant-oat"))
        return digest | {"credential_kind": "oauth" if oauth else "api_key"}
    text = {name: claims.get(name) if isinstance(claims.get(name), str) else None for name in ("sub", "iss")}
    return digest | {"credential_kind": "jwt", "subject": text["sub"], "issuer": text["iss"]}


def end_user_of(body):
    return body.get("user") or body.get("safety_identifier") or (body.get("metadata") or {}).get("user_id")


# --- HTTP -------------------------------------------------------------------------------------------------------------

GONE = (BrokenPipeError, ConnectionError, ssl.SSLError, TimeoutError)


class ServerAborts(Exception):
    pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "scripted"
    disable_nagle_algorithm = True  # events leave when they are written

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except GONE:
            self.close_connection = True

    def do_GET(self):
        if self.path == "/healthz":
            self.answer_plain(200, b'{"status":"ok"}')
        else:
            self.answer_plain(404, b'{"error":"no such path"}')

    do_HEAD = do_GET

    def do_POST(self):
        start = time.time()
        path = urllib.parse.urlsplit(self.path).path
        dialect = dialect_of(path)
        raw = self.read_body()
        if dialect is None:
            self.answer_plain(404, b'{"error":"no such path"}')
            return
        number, unique = self.server.book.next_number()
        call = Call(number, unique, path, dialect.name, dialect.operation, self.server.tls,
                    self.server.server_port, self.client_address[1], start=start, request_bytes=len(raw))
        call.request_id = f"req_{call.unique}"
        call.state(**caller_of(self.headers, self.path))
        try:
            self.serve(call, dialect, raw)
        except GONE:
            call.outcome = "client_abort"
            self.close_connection = True
        except ServerAborts:
            call.outcome = "server_abort"
            self.abort()
        finally:
            self.server.book.write(call)

    def serve(self, call, dialect_class, raw):
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            call.state(status_code=400, outcome="http_error", error_type="invalid_request_error")
            self.send_json(call, {"error": {"message": "no JSON object", "type": "invalid_request_error"}}, {}, None)
            return
        call.request_model = body.get("model")
        call.end_user = end_user_of(body)
        script = Script(self.headers, call.request_model)
        call.scenario = ",".join(script.words)
        dialect = dialect_class(call, script, body, self.server.text)
        coded = next((word for word in script.words if word in coders.CODERS), None)

        failure = next((word for word in ("rate_limit", "server_error") if word in script.words), None)
        if failure:
            error_type, error = dialect.error(failure)
            status = 429 if failure == "rate_limit" else 500
            call.state(status_code=status, outcome="http_error", error_type=error_type)
            self.send_json(call, error, dialect.headers() | {"retry-after": "1"}, coded)
        elif "never" in script.words:
            self.wait_for_the_end()
        elif body.get("stream") is True and dialect_class is not OpenaiEmbeddings:
            self.send_stream(call, dialect, script, coded)
        else:
            answer, states = dialect.answer()
            call.state(status_code=200)
            self.send_json(call, answer, dialect.headers(), coded)
            call.state(**states)

    def send_json(self, call, body, headers, coded):
        data = json.dumps(body).encode()
        call.response_bytes = len(data)
        if coded:
            data = coders.whole(coded, data)
        self.send_response(call.status_code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if coded:
            self.send_header("content-encoding", coded)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def send_stream(self, call, dialect, script, coded):
        chunked = self.request_version != "HTTP/1.0"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("cache-control", "no-cache")
        self.send_header(*(("transfer-encoding", "chunked") if chunked else ("connection", "close")))
        if coded:
            self.send_header("content-encoding", coded)
        for name, value in dialect.headers().items():
            self.send_header(name, value)
        self.end_headers()
        call.state(status_code=200, stream=True)
        coder = coders.CODERS[coded]() if coded else None

        def write(data):
            if data and chunked:
                data = b"%x\r\n%b\r\n" % (len(data), data)
            self.wfile.write(data)

        def send(event):
            data = event.encode()
            write(coder.part(data) if coder else data)
            call.response_bytes += len(data)
            call.state(**event.states)

        breaks = "error_in_stream" in script.words or "server_abort" in script.words
        for i, event in enumerate(dialect.stream()):
            if breaks and i == max(1, script.events // 2):
                if "server_abort" in script.words:
                    raise ServerAborts()
                send(dialect.stream_error())
                call.outcome = "stream_error"
                break
            if i > 0 and script.interval > 0 and self.client_went_away(script.interval):
                raise ConnectionResetError()
            send(event)
        if coder:
            write(coder.end())
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def answer_plain(self, status, data):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def read_body(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return self.read_chunked()
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def read_chunked(self):
        pieces = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b"\n", b""):
            pass
        return b"".join(pieces)

    def client_went_away(self, seconds):
        """Waits that long; whether the client closed meanwhile. While it is answered it has nothing to say."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        if not readable:
            return False
        if not self.server.tls:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        self.connection.settimeout(0.05)
        try:
            return self.connection.recv(1) == b""
        except TimeoutError:  # a TLS message of its own, no data
            return False
        finally:
            self.connection.settimeout(None)

    def wait_for_the_end(self):
        while not self.client_went_away(60):
            pass
        raise ConnectionResetError()

    def abort(self):
        """Closes without the framing's end."""
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        except (OSError, ValueError):
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, book, text, context=None):
        super().__init__(address, Handler)
        self.book, self.text, self.tls = book, text, context is not None
        if context:
            # The handshake happens in the connection's own thread, at its first read.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks the DNS for a name that nobody reads
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], GONE):
            super().handle_error(request, client_address)


def make_certificate(folder):
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "ca.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
         "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--http-port", type=int, default=0, help="0: any free one")
    parser.add_argument("--https-port", type=int, default=0)
    parser.add_argument("--book", required=True, help="file the served calls are appended to, NDJSON")
    parser.add_argument("--text", default="word", help="the word that answers are made of")
    options = parser.parse_args()

    folder = tempfile.mkdtemp(prefix="llm-server-")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        key, certificate = make_certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["http/1.1"])
        book = Book(options.book)
        clear = Server((options.address, options.http_port), book, options.text)
        secure = Server((options.address, options.https_port), book, options.text, context)
        for server in (clear, secure):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({"http": clear.server_port, "https": secure.server_port, "ca": certificate,
                          "book": os.path.abspath(options.book), "pid": os.getpid()}), flush=True)
        stop.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
