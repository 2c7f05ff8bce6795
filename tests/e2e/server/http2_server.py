"""An LLM server on hypercorn, over HTTP/2 in clear text or TLS: http2_server.py BOOK [KEY CERTIFICATE]

Answers as http2_server.mjs does: a request names in metadata.together how many requests are to wait for each other. Over
a WebSocket (RFC 8441, or HTTP/1.1) each response.create is answered by a turn, as OpenAI's Responses do. BOOK gets a
line for each call. Also reads HTTP/1.1, and takes up the upgrade of a GET to h2c."""

import asyncio
import json
import socket
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config


class App:
    def __init__(self, book):
        self.book, self.served, self.waiting = book, 0, []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await self.http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.socket(receive, send)

    def write(self, **line):
        self.book.write(json.dumps(line) + "\n")
        self.book.flush()

    # --- calls --------------------------------------------------------------------------------------------------------

    async def http(self, scope, receive, send):
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        if scope["method"] == "GET":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        request = json.loads(body)
        begin = asyncio.get_running_loop().create_future()
        self.waiting.append(begin)
        if len(self.waiting) >= request["metadata"]["together"]:
            together, self.waiting = self.waiting, []
            for waiting in together:
                waiting.set_result(None)
        await begin
        await self.answer(request, len(body), send)

    async def answer(self, request, request_bytes, send):
        self.served += 1
        number = self.served
        model = request["model"] + "-2026-01-01"
        common = {"id": f"chatcmpl-asgi-{number}", "created": 1780000000, "model": model}
        usage = {"prompt_tokens": 2000 + number, "completion_tokens": 5 * number + 1, "total_tokens": 2001 + 6 * number}
        if request.get("stream"):
            kind, pieces = b"text/event-stream", events_of(common, 1 + number % 9, usage)
        else:
            message = {"role": "assistant", "content": "x" * (100 * (number % 50))}
            body = json.dumps(common | {"object": "chat.completion", "usage": usage, "choices": [
                {"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
            third = len(body) // 3
            kind, pieces = b"application/json", [body[:third], body[third:2 * third], body[2 * third:]]
        await send({"type": "http.response.start", "status": 200, "headers": [
            (b"content-type", kind), (b"x-request-id", f"req-{number}".encode())]})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})
        self.write(response_id=common["id"], request_id=f"req-{number}", request_model=request["model"],
                   response_model=model, input_tokens=usage["prompt_tokens"], output_tokens=usage["completion_tokens"],
                   stream=request.get("stream", False), request_bytes=request_bytes)

    # --- turns --------------------------------------------------------------------------------------------------------

    async def socket(self, receive, send):
        await receive()
        await send({"type": "websocket.accept"})

        async def tell(**event):
            await send({"type": "websocket.send", "text": json.dumps(event)})

        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            asked = json.loads(event["text"])
            self.served += 1
            number = self.served
            response = {"id": f"resp_{number:024d}", "object": "response", "model": asked["model"] + "-2026-04-23"}
            usage = {"input_tokens": 3000 + number, "output_tokens": 11 * number + 2, "total_tokens": 3002 + 12 * number,
                     "input_tokens_details": {"cached_tokens": number}}
            await tell(type="response.created", response=response | {"status": "in_progress"})
            for _ in range(20):
                await tell(type="response.output_text.delta", delta="word " * 20)
            self.write(response_id=response["id"], outcome="ok", input_tokens=usage["input_tokens"],
                       output_tokens=usage["output_tokens"], request_model=asked["model"])
            await tell(type="response.completed", response=response | {"status": "completed", "usage": usage})


def events_of(common, words, usage):
    def event(**rest):
        return f"data: {json.dumps(common | {'object': 'chat.completion.chunk'} | rest)}\n\n".encode()
    choice = {"index": 0, "finish_reason": None}
    pieces = [event(choices=[choice | {"delta": {"role": "assistant", "content": ""}}])]
    pieces += [event(choices=[choice | {"delta": {"content": f" word{word}"}}]) for word in range(words)]
    return pieces + [event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
                     event(choices=[], usage=usage), b"data: [DONE]\n\n"]


async def main():
    book, *tls = sys.argv[1:]
    config = Config()
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    config.bind = [f"fd://{listening.fileno()}"]
    config.loglevel = "ERROR"
    if tls:
        config.keyfile, config.certfile = tls
    with open(book, "a", encoding="utf-8") as opened:
        print(json.dumps({"port": listening.getsockname()[1]}), flush=True)
        await serve(App(opened), config)


asyncio.run(main())
