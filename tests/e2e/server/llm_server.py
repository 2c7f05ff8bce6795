#!/usr/bin/env python3
"""A scripted LLM server that writes down what it served.

Speaks OpenAI chat, completions, Responses and embeddings and Anthropic messages (dialects.py) and the formats of Google,
Cohere, Mistral, Groq, Ollama and Bedrock (providers.py) over clear text and TLS (two ports), with --http2 over HTTP/2 on
a third, and keeps a book: one JSON line for each call, flushed when the call ends, in the field names of the usage
record, so that a test compares the two by name. Token numbers derive from the call's number: no two calls share
them. Lines stand in order of the calls' ends, which may be after the client has its answer; `number` gives the order
of their beginnings.

When it is ready it prints one JSON line: {"http": port, "https": port, "http2": port, "ca": file, "book": file, "pid": pid}.

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
    once              what fails does so only at the first attempt; attempts of one call have the same x-session-id
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
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import coders
import providers
from dialects import AnthropicMessages, OpenaiChat, OpenaiCompletions, OpenaiEmbeddings, OpenaiResponses


# --- the book ---------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Call:
    """What was served so far. Tokens and sources hold what has gone over the wire, not what would have."""

    number: int
    unique: str  # what its ids end in
    path: str
    provider: str | None
    dialect: str
    operation: str
    tls: bool
    server_port: int
    client_port: int
    method: str = "POST"
    scenario: str = ""
    session: str | None = None  # names a call, where a client tries again
    attempt: int = 1
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
    server_tool_requests: int | None = None
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
        self._attempts = {}
        # Two servers on one machine are two providers: an agent that sees both must not take their calls for one.
        self._run = secrets.token_hex(6)

    def next_number(self):
        """(the call's number, the same made unique among all servers)"""
        with self._lock:
            self._calls += 1
            return self._calls, f"{self._run}{self._calls:08d}"

    def next_attempt(self, session):
        with self._lock:
            self._attempts[session] = self._attempts.get(session, 0) + 1 if session else 1
            return self._attempts[session]

    def write(self, call):
        call.end = time.time()
        with self._lock:
            self._file.write(json.dumps(dataclasses.asdict(call)) + "\n")
            self._file.flush()


# --- what is asked for ------------------------------------------------------------------------------------------------

PATHS = (("/chat/completions", OpenaiChat), ("/completions", OpenaiCompletions), ("/responses", OpenaiResponses),
         ("/embeddings", OpenaiEmbeddings), ("/messages", AnthropicMessages))


def dialect_of(host, path):
    if found := providers.dialect_of(host, path):
        return found
    if not (path.startswith("/v1/") or path.startswith("/openai/")):
        return None
    return next((dialect for tail, dialect in PATHS if path.endswith(tail)), None)


class Script:
    """What a request asks the server to do."""

    def __init__(self, headers, model, attempt=1):
        asked = headers.get("x-scenario") or (model or "").partition("--")[2]
        self.words = [word for word in asked.split(",") if word]
        if "once" in self.words and attempt > 1:
            self.words = []
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
    if authorization.startswith("AWS4-HMAC-SHA256 "):
        return {"credential_kind": "aws_sigv4"}
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
    metadata = body.get("metadata")
    return (body.get("user") or body.get("safety_identifier")
            or (metadata.get("user_id") if isinstance(metadata, dict) else None))


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
        host = self.headers.get("host", "").rpartition(":")[0]
        dialect = dialect_of(host, path)
        raw = self.read_body()
        if dialect is None:
            self.answer_plain(404, b'{"error":"no such path"}')
            return
        number, unique = self.server.book.next_number()
        client_port = int(self.headers.get("x-front-client-port") or self.client_address[1])
        call = Call(number, unique, path, None, dialect.name, dialect.operation, self.server.watched_as_tls,
                    self.server.server_port, client_port, start=start, request_bytes=len(raw))
        call.session = self.headers.get("x-session-id")
        call.attempt = self.server.book.next_attempt(call.session)
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
        call.request_model = providers.model_of_path(call.path) or body.get("model")
        call.end_user = end_user_of(body)
        script = Script(self.headers, call.request_model, call.attempt)
        call.scenario = ",".join(script.words)
        dialect = dialect_class(call, script, body, self.server.text)
        call.provider = dialect.provider
        call.request_id = dialect.request_id()
        coded = next((word for word in script.words if word in coders.CODERS), None)

        failure = next((word for word in ("rate_limit", "server_error") if word in script.words), None)
        if failure:
            error_type, error = dialect.error(failure)
            status = 429 if failure == "rate_limit" else 500
            call.state(status_code=status, outcome="http_error", error_type=error_type)
            self.send_json(call, error, dialect.headers() | dialect.error_headers(failure) | {"retry-after": "1"}, coded)
        elif "never" in script.words:
            self.wait_for_the_end()
        elif dialect.wants_stream():
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
        self.send_header("content-type", dialect.stream_type)
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
            data = dialect.encode(event)
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

    handler = Handler

    def __init__(self, address, book, text, context=None):
        super().__init__(address, self.handler)
        self.book, self.text = book, text
        self.tls = self.watched_as_tls = context is not None
        if context:
            # The handshake happens in the connection's own thread, at its first read.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks the DNS for a name that nobody reads
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], GONE):
            super().handle_error(request, client_address)


class BackHandler(Handler):
    disable_nagle_algorithm = False  # there is none on a Unix socket


class BackServer(Server):
    """Behind http2_front.mjs, on a Unix socket."""

    handler = BackHandler
    address_family = socket.AF_UNIX

    def __init__(self, folder, book, text, key, certificate):
        path = os.path.join(folder, "behind.sock")
        super().__init__(path, book, text)
        self.watched_as_tls = True
        front = os.path.join(os.path.dirname(os.path.abspath(__file__)), "http2_front.mjs")
        self.front = subprocess.Popen(["node", front, key, certificate, path], stdout=subprocess.PIPE, text=True)
        self.server_port = int(self.front.stdout.readline())

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)

    def server_close(self):
        self.front.kill()
        self.front.wait()
        super().server_close()


def make_certificate(folder, hosts=()):
    names = ",".join(["DNS:localhost", "IP:127.0.0.1", "IP:::1", *(f"DNS:{host}" for host in hosts)])
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "ca.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName={names}",
         "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--http-port", type=int, default=0, help="0: any free one")
    parser.add_argument("--https-port", type=int, default=0)
    parser.add_argument("--book", required=True, help="file the served calls are appended to, NDJSON")
    parser.add_argument("--text", default="word", help="the word that answers are made of")
    parser.add_argument("--http2", action="store_true", help="speak HTTP/2 on a third port; needs node")
    parser.add_argument("--host", action="append", default=[], help="a name that the certificate is for, beside localhost")
    options = parser.parse_args()

    folder = tempfile.mkdtemp(prefix="llm-server-")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    servers = []
    try:
        key, certificate = make_certificate(folder, options.host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["http/1.1"])
        book = Book(options.book)
        clear = Server((options.address, options.http_port), book, options.text)
        secure = Server((options.address, options.https_port), book, options.text, context)
        servers = [clear, secure]
        if options.http2:
            servers.append(BackServer(folder, book, options.text, key, certificate))
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        http2 = servers[2].server_port if options.http2 else None
        print(json.dumps({"http": clear.server_port, "https": secure.server_port, "http2": http2, "ca": certificate,
                          "book": os.path.abspath(options.book), "pid": os.getpid()}), flush=True)
        stop.wait()
    finally:
        for server in servers:
            server.server_close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
