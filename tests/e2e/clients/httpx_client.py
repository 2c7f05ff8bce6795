"""httpx, what the official Python SDKs stand on. Takes the job of http_client.py."""

import json
import ssl
import sys

import httpx


def run(job):
    context = ssl.create_default_context(cafile=job["ca"])
    with httpx.Client(base_url=job["url"], verify=context, timeout=60) as client:
        for number, call in enumerate(job["calls"]):
            if number == job.get("gate"):
                print("ready", flush=True)
                sys.stdin.readline()
            with client.stream("POST", call["path"], json=call["body"], headers=call.get("headers")) as response:
                if call.get("events") is None:
                    response.read()
                    continue
                seen = 0
                for line in response.iter_lines():
                    seen += line == ""
                    if seen >= call["events"]:
                        break
                if job.get("hang") and call is job["calls"][-1]:
                    print("waiting", flush=True)
                    sys.stdin.read()


run(json.loads(sys.argv[1]))
