#!/usr/bin/env python3
"""A scripted server of xAI's API over gRPC. Says {"port": …} on a line, and writes one line a call to its book: what it was
asked for and what it answered. The first word of the prompt says how to answer.

    grpc_server.py BOOK
"""

import concurrent.futures
import itertools
import json
import sys
import threading
import time

import grpc
from xai_sdk.proto import chat_pb2, chat_pb2_grpc, deferred_pb2, sample_pb2, usage_pb2

WORDS = 7


class Book:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")  # noqa: SIM115
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)

    def write(self, method, request, **said):
        line = {"path": f"/xai_api.Chat/{method}", "request_model": request.model, "end_user": request.user or None,
                "request_bytes": len(request.SerializeToString()) + 5, **said}
        with self.lock:
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()

    def number(self):
        with self.lock:
            return next(self.numbers)


def usage(number, words):
    """Running totals behind so many words: reasoning is not among the completion's tokens."""
    reasoning = number % 3
    prompt = 100 + number
    return usage_pb2.SamplingUsage(prompt_tokens=prompt, completion_tokens=words, reasoning_tokens=reasoning,
                                   total_tokens=prompt + words + reasoning, prompt_text_tokens=prompt,
                                   cached_prompt_text_tokens=64 * (number % 2))


def told(stated, source="reported"):
    """The same as records say it."""
    return {"input_tokens": stated.prompt_tokens, "output_tokens": stated.completion_tokens + stated.reasoning_tokens,
            "reasoning_tokens": stated.reasoning_tokens, "cache_read_tokens": stated.cached_prompt_text_tokens,
            "usage_source": source}


NOTHING = {"input_tokens": None, "output_tokens": None, "reasoning_tokens": None, "cache_read_tokens": None,
           "usage_source": "none"}


class Chat(chat_pb2_grpc.ChatServicer):
    def __init__(self, book):
        self.book = book
        self.failed_once = set()
        self.deferred = {}

    @staticmethod
    def scenario(request):
        return request.messages[-1].content[0].text.split()[0]

    def refuse(self, method, request, context, code):
        self.book.write(method, request, response_id=None, response_model=None, stream=method == "GetCompletionChunk",
                        outcome="stream_error", error_type=code.name, finish_reason=None, tool_calls=[], **NOTHING)
        context.abort(code, "as it was told")

    def may_refuse(self, method, request, context):
        scenario = self.scenario(request)
        if scenario == "exhausted":
            self.refuse(method, request, context, grpc.StatusCode.RESOURCE_EXHAUSTED)
        if scenario == "unavailable" and request.user not in self.failed_once:
            self.failed_once.add(request.user)
            self.refuse(method, request, context, grpc.StatusCode.UNAVAILABLE)

    def answer(self, request, number):
        text = "word " * (3000 if self.scenario(request) in ("long", "gzip") else WORDS)
        message = chat_pb2.CompletionMessage(content=text, role=chat_pb2.ROLE_ASSISTANT)
        finish = sample_pb2.REASON_STOP
        if request.tools:
            function = chat_pb2.FunctionCall(name=request.tools[0].function.name, arguments='{"city": "Paris"}')
            message.tool_calls.add(id=f"call-{number}", type=chat_pb2.TOOL_CALL_TYPE_CLIENT_SIDE_TOOL, function=function)
            finish = sample_pb2.REASON_TOOL_CALLS
        answer = chat_pb2.GetChatCompletionResponse(id=f"xai-response-{number:08}", model=request.model,
                                                    usage=usage(number, WORDS))
        answer.created.GetCurrentTime()
        answer.outputs.add(index=0, finish_reason=finish, message=message)
        return answer

    def note(self, method, request, answer, **other):
        tools = [call.function.name for output in answer.outputs for call in output.message.tool_calls]
        self.book.write(method, request, **{
            "response_id": answer.id, "response_model": answer.model, "stream": False, "outcome": "ok",
            "error_type": None, "finish_reason": "tool_calls" if tools else "stop", "tool_calls": tools,
            **told(answer.usage), **other})

    def GetCompletion(self, request, context):
        self.may_refuse("GetCompletion", request, context)
        number = self.book.number()
        answer = self.answer(request, number)
        if self.scenario(request) == "gzip":
            context.set_compression(grpc.Compression.Gzip)
        self.note("GetCompletion", request, answer)
        return answer

    def GetCompletionChunk(self, request, context):
        self.may_refuse("GetCompletionChunk", request, context)
        number, scenario = self.book.number(), self.scenario(request)
        gone = threading.Event()
        whole = self.answer(request, number)
        said, noted = 0, False

        def note(**other):
            nonlocal noted
            noted = True
            self.book.write("GetCompletionChunk", request, **{
                "response_id": whole.id, "response_model": whole.model, "stream": True, "error_type": None,
                "tool_calls": [], **other})

        def ended():  # perhaps while the library does not come back for the next chunk
            if not noted:
                note(outcome="client_abort", finish_reason=None, **told(usage(number, said), "partial"))
            gone.set()

        context.add_callback(ended)
        for said in range(1, WORDS + 1):
            chunk = chat_pb2.GetChatCompletionChunk(id=whole.id, model=whole.model, usage=usage(number, said))
            output = chunk.outputs.add(index=0)
            output.delta.content = "word "
            if said == WORDS:
                output.finish_reason = sample_pb2.REASON_STOP
            yield chunk
            time.sleep(0.002)  # so that chunks are apart on the wire
            if scenario == "broken" and said == 3:
                note(outcome="stream_error", error_type="INTERNAL", finish_reason=None,
                     **told(usage(number, said), "partial"))
                context.abort(grpc.StatusCode.INTERNAL, "as it was told")
            if scenario == "slow" and said == 3 and gone.wait(30):
                return
        note(outcome="ok", finish_reason="stop", **told(usage(number, WORDS)))

    def StartDeferredCompletion(self, request, context):
        number = self.book.number()
        name = f"deferred-{number:012}"
        self.deferred[name] = [2, self.answer(request, number)]
        self.note("StartDeferredCompletion", request, self.deferred[name][1], response_id=name)
        return deferred_pb2.StartDeferredResponse(request_id=name)

    def GetDeferredCompletion(self, request, context):
        entry = self.deferred[request.request_id]
        entry[0] -= 1
        if entry[0] > 0:
            return chat_pb2.GetDeferredCompletionResponse(status=deferred_pb2.PENDING)
        return chat_pb2.GetDeferredCompletionResponse(status=deferred_pb2.DONE, response=entry[1])


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=16))
    chat_pb2_grpc.add_ChatServicer_to_server(Chat(Book(sys.argv[1])), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"port": port}), flush=True)
    server.wait_for_termination()


main()
