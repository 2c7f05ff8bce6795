#!/usr/bin/env python3
"""xAI's own SDK, which speaks gRPC. Its argument is a job: {"target": "address:port", "gate": …, "calls": [{"kind":
"sample" | "stream" | "defer", "prompt", "user", "tools": …, "leave_after": chunks, "fails": status}]}."""

import datetime
import json
import sys

import grpc
import xai_sdk
from xai_sdk.chat import tool, user


def converse(client, asked):
    tools = [tool(name="get_weather", description="", parameters={})] if asked.get("tools") else None
    chat = client.chat.create(model="grok-4-1-fast", messages=[user(asked["prompt"])], user=asked["user"], tools=tools)
    if asked["kind"] == "sample":
        chat.sample()
    elif asked["kind"] == "defer":
        chat.defer(timeout=datetime.timedelta(seconds=20), interval=datetime.timedelta(milliseconds=50))
    else:
        stream = chat.stream()
        for number, _ in enumerate(stream, 1):
            if number == asked.get("leave_after"):
                stream.close()
                break


def main():
    job = json.loads(sys.argv[1])
    client = xai_sdk.Client(api_key="xai-test", api_host=job["target"], use_insecure_channel=True)
    if job.get("gate"):
        print("ready", flush=True)
        sys.stdin.readline()
    for asked in job["calls"]:
        try:
            converse(client, asked)
        except grpc.RpcError as error:
            if error.code().name != asked.get("fails"):
                raise
        else:
            if "fails" in asked:
                raise AssertionError(f"{asked} did not fail")
    client.close()


main()
