#!/usr/bin/env python3
"""A small LLM gateway: HTTPS in, HTTPS out to the scripted server, with a credential of its own.

What it does is chosen by the request header `x-gateway`, words joined by commas:
    (nothing)   the answer is passed on as it is
    rewrite     answers get ids of the gateway's own
    cached      the last answer is given again, and nobody is asked
    fallback    the first upstream answer is thrown away, a second one is passed on
    slow=N      the client gets the answer in pieces over N seconds, long after the upstream call ended

When it is ready it prints one JSON line: {"https": port, "ca": file, "pid": pid}.
"""

import argparse
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OWN_KEY = "Bearer sk-of-the-gateway-0123456789"
SLOW_PIECES = 60


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = dict(word.partition("=")[::2] for word in self.headers.get("x-gateway", "").split(",") if word)
        body = self.rfile.read(int(self.headers["content-length"]))
        if "cached" in asked:
            self.pass_on(self.server.last, {"x-litellm-call-id": "1", "x-litellm-cache-key": "k"})
            return
        if "fallback" in asked:
            self.ask(body)
        status, kind, data = self.ask(body)
        if "rewrite" in asked:
            data = data.replace(b'"chatcmpl-', b'"chatcmpl-gateway-').replace(b'"msg_', b'"msg_gateway_')
        self.server.last = status, kind, data
        self.pass_on(self.server.last, {}, float(asked.get("slow", 0)))

    def ask(self, body):
        upstream = self.server.upstream
        connection = http.client.HTTPSConnection(upstream.hostname, upstream.port, timeout=60,
                                                 context=self.server.upstream_context)
        headers = {"content-type": "application/json", "authorization": OWN_KEY,
                   "x-scenario": self.headers.get("x-scenario", "")}
        connection.request("POST", self.path, body=body, headers=headers)
        response = connection.getresponse()
        answer = response.status, response.headers["content-type"], response.read()
        connection.close()
        return answer

    def pass_on(self, answer, headers, seconds=0.0):
        status, kind, data = answer
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        pieces = SLOW_PIECES if seconds else 1
        for i in range(pieces):
            self.wfile.write(data[len(data) * i // pieces:len(data) * (i + 1) // pieces])
            self.wfile.flush()
            time.sleep(seconds / pieces)


def certificate(folder):
    """A self-signed one for localhost."""
    key, file = os.path.join(folder, "key.pem"), os.path.join(folder, "gateway.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", file], check=True, capture_output=True)
    return key, file


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--upstream-ca", required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the folder goes too
    with tempfile.TemporaryDirectory(prefix="wiretally-gateway-") as folder:
        key, file = certificate(folder)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.upstream = urllib.parse.urlsplit(options.upstream)
        server.upstream_context = ssl.create_default_context(cafile=options.upstream_ca)
        server.last = None
        print(json.dumps({"https": server.server_port, "ca": file, "pid": os.getpid()}), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
