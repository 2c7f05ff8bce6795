"""The scripted server and its book, and other servers with books."""

import json
import os
import subprocess
import sys
import time

from .case import HERE, wait_until


class Server:
    def __init__(self, case, *options, prefix=(), environment=None):
        self.book_file = os.path.join(case.folder, f"book-{time.monotonic_ns()}.ndjson")
        command = [*prefix, sys.executable, os.path.join(HERE, "server", "llm_server.py"), "--book", self.book_file,
                   *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | (environment or {}))
        case.addCleanup(self.stop)
        ready = json.loads(self.process.stdout.readline())
        self.http, self.https, self.ca = ready["http"], ready["https"], ready["ca"]
        self.http2 = ready["http2"]  # with --http2
        self.ports = tuple(port for port in (self.http, self.https, self.http2) if port)
        self.pid = ready["pid"]

    def url(self, tls=True):
        return f"https://localhost:{self.https}" if tls else f"http://127.0.0.1:{self.http}"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.process.stdout.close()

    def book(self):
        """The served calls that have ended, in the order of their beginnings."""
        with open(self.book_file, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file if line.endswith("\n")]
        return sorted(lines, key=lambda line: line["number"])

    def wait_for_calls(self, count, seconds=15.0):
        wait_until(lambda: len(self.book()) >= count, lambda: f"{count} calls; there are {len(self.book())}", seconds)
        return self.book()


def certificate(case):
    """Key and certificate of localhost."""
    key, chain = case.path("key.pem"), case.path("ca.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", chain], check=True, capture_output=True)
    return key, chain


class BookServer:
    """COMMAND BOOK [KEY CERTIFICATE] says its port in a line of JSON and writes down what it served."""

    def __init__(self, case, command, tls=False):
        self.book_file = case.path("book")
        open(self.book_file, "w", encoding="utf-8").close()
        self.tls, self.ca = tls, None
        command = [*command, self.book_file]
        if tls:
            key, self.ca = certificate(case)
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
