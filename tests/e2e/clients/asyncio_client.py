"""An asyncio Python client: memory BIOs, every connection on one thread, no socket call inside the TLS calls.

Takes the same job as http_client.py; `connections` of them run at once (default 1), each doing all calls. A connection
whose stream was left early is closed, and the next call opens another."""

import asyncio
import json
import ssl
import sys
import urllib.parse


async def read_head(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    return int(head.split(" ")[1]), fields


async def read_body(reader, fields, events):
    """The whole body, or so many chunks of it."""
    if fields.get("transfer-encoding") == "chunked":
        seen = 0
        while events is None or seen < events:
            size = int((await reader.readline()).split(b";")[0], 16)
            await reader.readexactly(size + 2)
            if size == 0:
                return
            seen += 1
    elif "content-length" in fields:
        await reader.readexactly(int(fields["content-length"]))
    else:
        await reader.read()


async def wait_at_the_gate():
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def run(job):
    url = urllib.parse.urlsplit(job["url"])
    context = ssl.create_default_context(cafile=job["ca"]) if url.scheme == "https" else None

    async def connect():
        return await asyncio.open_connection(url.hostname, url.port, ssl=context)

    reader, writer = await connect()
    for number, call in enumerate(job["calls"]):
        if number == job.get("gate"):
            await wait_at_the_gate()
        data = json.dumps(call["body"]).encode()
        headers = {"Host": url.netloc, "Content-Type": "application/json",
                   "Content-Length": str(len(data)), **call.get("headers", {})}
        head = f"POST {call['path']} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        writer.write(head.encode() + b"\r\n" + data)
        await writer.drain()
        status, fields = await read_head(reader)
        await read_body(reader, fields, call.get("events"))
        if call.get("events") is not None:
            if job.get("hang") and call is job["calls"][-1]:
                print("waiting", flush=True)
                await asyncio.Event().wait()
            writer.transport.abort()
            reader, writer = await connect()
    writer.close()
    await writer.wait_closed()


async def main():
    job = json.loads(sys.argv[1])
    await asyncio.gather(*(run(job) for _ in range(job.get("connections", 1))))


asyncio.run(main())
