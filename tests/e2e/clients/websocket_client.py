"""websockets, on a job: {"url", "ca", "messages": [...], "leave": bool}. Waits at the gate, if there is one, with its
connection open; sends each message when the turn before has ended."""

import asyncio
import json
import ssl
import sys

from websockets.asyncio.client import connect

ENDS = ("response.completed", "response.done")


async def run(job):
    context = ssl.create_default_context(cafile=job["ca"])
    async with connect(job["url"], ssl=context, max_size=None,
                       additional_headers={"Authorization": "Bearer sk-test-websocket-0001"}) as socket:
        for number, message in enumerate(job["messages"]):
            await socket.send(json.dumps(message))
            events = 0
            async for text in socket:
                events += 1
                if json.loads(text)["type"] in ENDS or (message.get("leave") and events == 10):
                    break


asyncio.run(run(json.loads(sys.argv[1])))
