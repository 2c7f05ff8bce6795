"""A synchronous Python client (http.client: SSL_read_ex and SSL_write_ex on the interpreter's libssl).

Reads one job from argv[1] (JSON):
  url       https://host:port            ca        certificate file to trust
  calls     [{path, headers, body, events}]        all on one connection, one after another
            events: stop after so many stream events and close; absent: read everything
            pad: the first message is that many bytes long
  gate      before the call of this number (from 0), print "ready" and wait for a line on stdin; "fork": before the workers
  workers   fork so many processes, each doing the calls on its own connection (0: none)
  hang      after the last call's events, print "waiting" and wait to be killed
"""

import http.client
import json
import os
import ssl
import sys
import urllib.parse


def connect(job):
    url = urllib.parse.urlsplit(job["url"])
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=job["ca"])
        return http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=60)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=60)


def body_of(call):
    body = call["body"]
    if "pad" in call:
        body = body | {"messages": [{"role": "user", "content": "x" * call["pad"]}]}
    return json.dumps(body).encode()


def wait_at_the_gate():
    print("ready", flush=True)
    sys.stdin.readline()


def read_events(response, limit):
    seen = 0
    while seen < limit:
        line = response.readline()
        if not line:
            return
        if line in (b"\n", b"\r\n"):
            seen += 1


def run(job):
    connection = connect(job)
    for number, call in enumerate(job["calls"]):
        if number == job.get("gate"):
            wait_at_the_gate()
        data = body_of(call)
        headers = {"Content-Type": "application/json", **call.get("headers", {})}
        connection.request("POST", call["path"], body=data, headers=headers)
        response = connection.getresponse()
        if call.get("events") is None:
            response.read()
        else:
            read_events(response, call["events"])
            if job.get("hang") and call is job["calls"][-1]:
                print("waiting", flush=True)
                sys.stdin.read()
            connection.close()
            connection = connect(job)
    connection.close()


def main():
    job = json.loads(sys.argv[1])
    workers = []
    if job.get("gate") == "fork":
        wait_at_the_gate()
    for _ in range(job.get("workers", 0)):
        pid = os.fork()
        if pid == 0:
            run(job)
            os._exit(0)
        workers.append(pid)
    if not workers:
        run(job)
    failed = [pid for pid in workers if os.waitpid(pid, 0)[1] != 0]
    sys.exit(1 if failed else 0)


main()
