#!/usr/bin/env python3
"""Connections to known providers: decoded ones and opaque ones are told apart, and each counts once."""

import os
import shutil
import socket
import ssl
import subprocess

from harness.agent import Agent
from harness.case import Case, main, wait_until
from harness.server import Server

# Nobody else on this machine asks for this host, and its domain is a known provider's.
HOST = f"wiretally-e2e-{os.getpid()}.openai.azure.com"
FAMILY = "llm_connections_total"
WAIT_SECONDS = 45  # an opaque connection counts 30 s after its hello

GO_CLIENT = """
package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return net.Dial(network, os.Args[2])
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	answer, err := (&http.Client{Transport: transport}).Get(os.Args[1])
	if err != nil {
		panic(err)
	}
	io.Copy(io.Discard, answer.Body)
	os.Stdin.Read(make([]byte, 1)) // until it has been looked at
}
"""


def client_hello(host):
    """What OpenSSL says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class CoverageTest(Case):
    needs = ("openssl", "curl")

    def build_go_client(self):
        source, program = self.path("client.go"), self.path("go-client")
        with open(source, "w", encoding="utf-8") as file:
            file.write(GO_CLIENT)
        settings = {"GO111MODULE": "off", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
        if "HOME" not in os.environ:
            settings["GOCACHE"] = self.path("go-cache")
        built = subprocess.run(["go", "build", "-o", program, source], capture_output=True, text=True, cwd=self.folder,
                               env=os.environ | settings)
        self.assertEqual(built.returncode, 0, built.stderr)
        return program

    def curl(self, server, calls):
        url = f"https://{HOST}:{server.https}/v1/models"
        subprocess.run(["curl", "-sk", "--http1.1", "--resolve", f"{HOST}:{server.https}:127.0.0.1",
                        *[word for _ in range(calls) for word in (url, "-o", os.devnull)]], check=True)

    def counted(self, agent, **labels):
        return agent.metric(FAMILY, server=HOST, **labels)

    def test_each_connection_once(self):
        with_go = shutil.which("go") is not None
        if with_go:
            program = self.build_go_client()
        else:
            print("SKIPPED a client in Go: go not installed", flush=True)
        server = Server(self)
        agent = Agent(self)
        self.curl(server, calls=1)
        self.curl(server, calls=3)  # on one connection
        if with_go:
            go_client = subprocess.Popen([program, f"https://{HOST}/v1/models", f"127.0.0.1:{server.https}"],
                                         stdin=subprocess.PIPE)
            self.addCleanup(go_client.communicate)
        connection = socket.create_connection(("127.0.0.1", server.https))
        self.addCleanup(connection.close)
        connection.sendall(client_hello(HOST))

        opaque = {"other": 1, "go": 1 if with_go else 0}
        wait_until(lambda: self.counted(agent, visibility="opaque") >= sum(opaque.values()), "opaque connections",
                   WAIT_SECONDS)
        for reason, connections in opaque.items():
            self.assertEqual(self.counted(agent, visibility="opaque", reason=reason), connections, reason)
        self.assertEqual(self.counted(agent, visibility="plain"), 2)
        self.assertEqual(self.counted(agent), 2 + sum(opaque.values()))
        ratio = agent.metric("wiretally_coverage_ratio")
        self.assertTrue(0 < ratio < 1, ratio)


if __name__ == "__main__":
    main()
