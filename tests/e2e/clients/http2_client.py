"""httpx over HTTP/2, on the job of http2_client.mjs: {url, ca, connections, path, bodies}. All calls at once; the bodies
go to the connections in turn."""

import asyncio
import json
import ssl
import sys

import httpx


async def run(job):
    verify = ssl.create_default_context(cafile=job["ca"]) if job["ca"] else True
    # Without HTTP/1 there is nothing to agree on: in clear text httpx speaks HTTP/2 at once.
    clients = [httpx.AsyncClient(http1=False, http2=True, verify=verify, timeout=30,
                                 limits=httpx.Limits(max_connections=1)) for _ in range(job["connections"])]

    async def call(client, body):
        async with client.stream("POST", job["url"] + job["path"], json=body,
                                 headers={"authorization": "Bearer sk-h2-test"}) as answer:
            answer.raise_for_status()
            assert answer.http_version == "HTTP/2", answer.http_version
            assert [part async for part in answer.aiter_raw()]

    # Each connection exists before many calls want it, so that they share it.
    await asyncio.gather(*(call(clients[i % len(clients)], body) for i, body in enumerate(job["bodies"])))
    for client in clients:
        await client.aclose()


asyncio.run(run(json.loads(sys.argv[1])))
