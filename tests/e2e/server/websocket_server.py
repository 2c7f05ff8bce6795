"""A scripted WebSocket server: answers each response.create with a turn, as OpenAI's Responses and Realtime do.

    websocket_server.py BOOK [--no-takeover | --plain]

Prints {"port", "ca"} and serves TLS. BOOK gets a line a turn, with what was said of it."""

import argparse
import asyncio
import json
import os
import random
import ssl
import sys
import tempfile

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from llm_server import make_certificate  # noqa: E402


class Turns:
    def __init__(self, book, seed):
        self.book, self.random, self.number = book, random.Random(seed), 0

    def usage(self, realtime):
        given, said, cached = self.random.randrange(50, 5000), self.random.randrange(1, 900), self.random.randrange(50)
        details = "input_token_details" if realtime else "input_tokens_details"
        return {"total_tokens": given + said, "input_tokens": given, details: {"cached_tokens": cached},
                "output_tokens": said}

    def write(self, **line):
        self.book.write(json.dumps(line) + "\n")
        self.book.flush()


async def responses(socket, turns):
    async for text in socket:
        asked = json.loads(text)
        if asked["type"] != "response.create":
            continue
        turns.number += 1
        name = f"resp_{turns.number:024d}"
        response = {"id": name, "object": "response", "model": asked["model"] + "-2026-04-23"}
        usage = turns.usage(False)
        # One event a fragment or more, as asyncio pleases; the first in two fragments with a ping behind it.
        created = json.dumps({"type": "response.created", "response": response | {"status": "in_progress"}})
        await socket.send([created[:40], created[40:]])
        await socket.ping()
        for _ in range(20):
            await socket.send(json.dumps({"type": "response.output_text.delta", "delta": "word " * 20}))
        if asked.get("leave"):
            turns.write(response_id=name, outcome="client_abort", input_tokens=None, output_tokens=None)
            await socket.wait_closed()
            return
        await socket.send(json.dumps({"type": "response.completed", "response": response | {
            "status": "completed", "usage": usage}}))
        turns.write(response_id=name, outcome="ok", input_tokens=usage["input_tokens"],
                    output_tokens=usage["output_tokens"])


async def realtime(socket, turns):
    await socket.send(json.dumps({"type": "session.created", "session": {"model": "gpt-realtime-2025-08-28"}}))
    async for text in socket:
        if json.loads(text)["type"] != "response.create":
            continue
        turns.number += 1
        name = f"resp_{turns.number:024d}"
        response = {"id": name, "object": "realtime.response"}
        usage = turns.usage(True)
        await socket.send(json.dumps({"type": "response.created", "response": response | {"status": "in_progress"}}))
        for _ in range(5):
            await socket.send(json.dumps({"type": "response.output_audio.delta", "response_id": name,
                                          "delta": "UklGRg" * 2000}))
        await socket.send(json.dumps({"type": "response.done", "response": response | {
            "status": "completed", "output": [], "usage": usage}}))
        turns.write(response_id=name, outcome="ok", input_tokens=usage["input_tokens"],
                    output_tokens=usage["output_tokens"])


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("book")
    parser.add_argument("--no-takeover", action="store_true")
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    extensions = None
    if options.no_takeover:
        extensions = [ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)]
    with tempfile.TemporaryDirectory() as folder, open(options.book, "a", encoding="utf-8") as book:
        key, certificate = make_certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        turns = Turns(book, 1)

        async def handle(socket):
            await (realtime if "/realtime" in socket.request.path else responses)(socket, turns)

        async with serve(handle, "127.0.0.1", 0, ssl=context, extensions=extensions,
                         compression=None if options.plain else "deflate", max_size=None) as server:
            port = server.sockets[0].getsockname()[1]
            print(json.dumps({"port": port, "ca": certificate}), flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
