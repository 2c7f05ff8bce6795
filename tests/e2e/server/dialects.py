"""What the scripted server serves: the wire formats of OpenAI and Anthropic, and what the others build on.

Each event carries, besides its bytes, what it states about the call, so that the book holds what has gone over the wire and
not what would have."""

import base64
import dataclasses
import json
import struct


class Tokens:
    """The numbers of one call; `input` includes what the cache gave and took."""

    def __init__(self, number):
        self.uncached = 1000 + 11 * number
        self.cache_read = 64 * (number % 5)
        self.write_5m = 10 * (number % 3)
        self.write_1h = 100 * (number % 2)
        self.output = 20 + 3 * number
        self.reasoning = number % 7
        self.openai_input = self.uncached + self.cache_read
        self.anthropic_input = self.openai_input + self.write_5m + self.write_1h


@dataclasses.dataclass
class Event:
    data: dict | str
    name: str | None = None
    states: dict = dataclasses.field(default_factory=dict)  # of the call, once this event is on the wire
    kind: str = "event"

    def encode(self):
        text = self.data if isinstance(self.data, str) else json.dumps(self.data)
        name = f"event: {self.name}\n" if self.name else ""
        return f"{name}data: {text}\n\n".encode()


class Dialect:
    """One wire format. `script` is what the scenario asks for, `body` the request's JSON."""

    name = ""
    provider = "openai"
    operation = "chat"
    default_model = "gpt-4o-mini"
    stream_type = "text/event-stream; charset=utf-8"

    def __init__(self, call, script, body, text):
        self.call, self.script, self.body, self.text = call, script, body, text
        self.tokens = Tokens(call.number)
        self.model = call.request_model or self.default_model
        self.tool = "get_weather" if "tools" in script.words else None

    def wants_stream(self):
        return self.body.get("stream") is True

    def encode(self, event):
        return event.encode()

    def request_id(self):
        """As its headers state it."""
        return f"req_{self.call.unique}"

    def error_headers(self, kind):
        return {}

    def headers(self):
        return {"x-request-id": self.call.request_id, "openai-organization": "org-scripted",
                "x-ratelimit-remaining-requests": "4999", "x-ratelimit-remaining-tokens": "399000"}

    def error(self, kind):
        code = {"rate_limit": "rate_limit_exceeded", "server_error": "server_error"}[kind]
        return code, {"error": {"message": "scripted", "type": code, "param": None, "code": code}}

    def stream_error(self):
        code, body = self.error("server_error")
        return Event(body, states={"error_type": code})

    def words(self):
        """The answer's text in as many pieces as the stream has content events."""
        for i in range(self.script.events):
            yield f"{self.text} {i} "

    def argument_words(self):
        """A tool's arguments in as many pieces: JSON once they are put together."""
        words = list(self.words())
        for i, word in enumerate(words):
            yield ('{"text":"' if i == 0 else "") + word + ('"}' if i == len(words) - 1 else "")

    def whole_text(self):
        return "".join(f"{self.text} {i} " for i in range(3))

    def answer(self):
        """(JSON of a whole answer, what it states)"""
        raise NotImplementedError

    def stream(self):
        raise NotImplementedError


class OpenaiChat(Dialect):
    name = "openai_chat"
    prefix = "chatcmpl"
    chunk_object, whole_object = "chat.completion.chunk", "chat.completion"

    def identity(self):
        return {"response_id": f"{self.prefix}-{self.call.unique}", "response_model": self.model,
                "service_tier": "default"}

    def finish(self):
        finish = "tool_calls" if self.tool else "stop"
        return finish, {"finish_reason": finish, "tool_calls": [self.tool] if self.tool else []}

    def usage(self, output=None):
        """(the wire's usage object, what it states); `output` where it is still running."""
        t = self.tokens
        final = output is None
        output = t.output if final else output
        usage = {"prompt_tokens": t.openai_input, "completion_tokens": output,
                 "total_tokens": t.openai_input + output,
                 "prompt_tokens_details": {"cached_tokens": t.cache_read, "audio_tokens": 0},
                 "completion_tokens_details": {"reasoning_tokens": t.reasoning if final else 0}}
        return usage, {"input_tokens": t.openai_input, "cache_read_tokens": t.cache_read, "output_tokens": output,
                       "reasoning_tokens": t.reasoning if final else 0, "input_source": "reported",
                       "output_source": "reported" if final else "partial"}

    def head(self, kind):
        return {"id": self.identity()["response_id"], "object": kind, "created": 1700000000, "model": self.model,
                "service_tier": "default", "system_fingerprint": "fp_scripted"}

    def whole_choice(self, finish):
        message = {"role": "assistant", "content": None if self.tool else self.whole_text(), "refusal": None}
        if self.tool:
            message["tool_calls"] = [{"id": "call_1", "type": "function",
                                      "function": {"name": self.tool, "arguments": '{"usage":{"prompt_tokens":1}}'}}]
        return {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}

    def piece(self, word, first, finish=None):
        delta = {"role": "assistant", "content": word} if first else {"content": word} if word else {}
        if self.tool and first:
            delta = {"role": "assistant", "content": None, "tool_calls": [
                {"index": 0, "id": "call_1", "type": "function", "function": {"name": self.tool, "arguments": ""}}]}
        elif self.tool and word:
            delta = {"tool_calls": [{"index": 0, "function": {"arguments": word}}]}
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}

    def answer(self):
        finish, finish_states = self.finish()
        usage, usage_states = self.usage()
        body = self.head(self.whole_object) | {"choices": [self.whole_choice(finish)], "usage": usage}
        return body, self.identity() | finish_states | usage_states

    def stream(self):
        include = (self.body.get("stream_options") or {}).get("include_usage", False)
        running = "running_usage" in self.script.words
        silent = "no_usage" in self.script.words or not (include or running)
        head = self.head(self.chunk_object)
        for i, word in enumerate(self.words()):
            chunk = head | {"choices": [self.piece(word, i == 0)]}
            states = self.identity() if i == 0 else {}
            if running and not silent:
                chunk["usage"], usage_states = self.usage(output=i + 1)
                states = states | usage_states
            elif include and not silent:
                chunk["usage"] = None
            yield Event(chunk, states=states)
        finish, finish_states = self.finish()
        yield Event(head | {"choices": [self.piece("", False, finish)]} | ({} if silent else {"usage": None}),
                    states=finish_states)
        if not silent:
            usage, usage_states = self.usage()
            yield Event(head | {"choices": [], "usage": usage}, states=usage_states)
        yield Event("[DONE]")


class OpenaiCompletions(OpenaiChat):
    name = "openai_completions"
    operation = "text_completion"
    default_model = "gpt-3.5-turbo-instruct"
    prefix = "cmpl"
    chunk_object = whole_object = "text_completion"

    def finish(self):
        return "stop", {"finish_reason": "stop"}

    def whole_choice(self, finish):
        return {"index": 0, "text": self.whole_text(), "logprobs": None, "finish_reason": finish}

    def piece(self, word, first, finish=None):
        return {"index": 0, "text": word, "logprobs": None, "finish_reason": finish}


class OpenaiResponses(Dialect):
    name = "openai_responses"

    def identity(self):
        return {"response_id": f"resp_{self.call.unique}", "response_model": self.model}

    def response(self, status, usage):
        output = []
        if status == "completed":
            output = [{"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": self.tool,
                       "arguments": "{}"}] if self.tool else [
                {"type": "message", "id": "msg_1", "role": "assistant",
                 "content": [{"type": "output_text", "text": self.whole_text(), "annotations": []}]}]
        return {"id": self.identity()["response_id"], "object": "response", "status": status, "model": self.model,
                "service_tier": "default", "output": output, "error": None, "incomplete_details": None,
                "usage": usage}

    def usage(self):
        t = self.tokens
        usage = {"input_tokens": t.openai_input, "input_tokens_details": {"cached_tokens": t.cache_read},
                 "output_tokens": t.output, "output_tokens_details": {"reasoning_tokens": t.reasoning},
                 "total_tokens": t.openai_input + t.output}
        return usage, {"input_tokens": t.openai_input, "cache_read_tokens": t.cache_read, "output_tokens": t.output,
                       "reasoning_tokens": t.reasoning, "input_source": "reported", "output_source": "reported",
                       "service_tier": "default", "finish_reason": "tool_calls" if self.tool else "stop",
                       "tool_calls": [self.tool] if self.tool else []}

    def answer(self):
        usage, states = self.usage()
        return self.response("completed", usage), self.identity() | states

    def event(self, kind, states=None, **members):
        self.sequence = getattr(self, "sequence", -1) + 1
        return Event({"type": kind, "sequence_number": self.sequence} | members, name=kind, states=states or {})

    def stream(self):
        opening = self.identity() | {"service_tier": "default"}
        yield self.event("response.created", opening, response=self.response("in_progress", None))
        for word in self.words():
            yield self.event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta=word)
        usage, states = self.usage()
        if "no_usage" in self.script.words:
            usage = None
            states = {name: states[name] for name in ("finish_reason", "tool_calls")}
        yield self.event("response.completed", states, response=self.response("completed", usage))

    def stream_error(self):
        return self.event("error", {"error_type": "server_error"}, code="server_error", message="scripted", param=None)


class OpenaiEmbeddings(Dialect):
    name = "openai_embeddings"
    operation = "embeddings"
    default_model = "text-embedding-3-small"

    def wants_stream(self):
        return False

    def answer(self):
        asked = self.body.get("input", "")
        count = len(asked) if isinstance(asked, list) and asked and not isinstance(asked[0], int) else 1
        dimensions = int(self.body.get("dimensions") or 64)
        numbers = [((i * 37 + self.call.number) % 1000) / 1000 for i in range(dimensions)]
        vector = numbers
        if self.body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{dimensions}f", *numbers)).decode()
        tokens = self.tokens.uncached
        body = {"object": "list", "model": self.model,
                "data": [{"object": "embedding", "index": i, "embedding": vector} for i in range(count)],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
        return body, {"response_model": self.model, "input_tokens": tokens, "input_source": "reported"}


class AnthropicMessages(Dialect):
    name = "anthropic_messages"
    provider = "anthropic"
    default_model = "claude-opus-4-7"

    def headers(self):
        return {"request-id": self.call.request_id, "anthropic-organization-id": "org-scripted",
                "anthropic-ratelimit-requests-remaining": "49"}

    def error(self, kind):
        kind = {"rate_limit": "rate_limit_error", "server_error": "api_error"}[kind]
        return kind, {"type": "error", "error": {"type": kind, "message": "scripted"}}

    def stream_error(self):
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "scripted"}}
        return Event(error, name="error", states={"error_type": "overloaded_error"})

    def identity(self):
        return {"response_id": f"msg_{self.call.unique}", "response_model": self.model,
                "service_tier": "standard"}

    def input_usage(self):
        t = self.tokens
        usage = {"input_tokens": t.uncached, "cache_creation_input_tokens": t.write_5m + t.write_1h,
                 "cache_read_input_tokens": t.cache_read, "service_tier": "standard",
                 "cache_creation": {"ephemeral_5m_input_tokens": t.write_5m, "ephemeral_1h_input_tokens": t.write_1h}}
        return usage, {"input_tokens": t.anthropic_input, "cache_read_tokens": t.cache_read,
                       "cache_write_5m_tokens": t.write_5m, "cache_write_1h_tokens": t.write_1h,
                       "input_source": "reported"}

    def finish(self):
        return ("tool_use" if self.tool else "end_turn",
                {"finish_reason": "tool_calls" if self.tool else "stop", "tool_calls": [self.tool] if self.tool else [],
                 "output_tokens": self.tokens.output, "output_source": "reported"})

    def answer(self):
        usage, input_states = self.input_usage()
        reason, finish_states = self.finish()
        block = {"type": "text", "text": self.whole_text()}
        if self.tool:
            block = {"type": "tool_use", "id": "toolu_1", "name": self.tool, "input": {"usage": {"input_tokens": 1}}}
        body = {"id": self.identity()["response_id"], "type": "message", "role": "assistant", "model": self.model,
                "content": [block], "stop_reason": reason, "stop_sequence": None,
                "usage": usage | {"output_tokens": self.tokens.output}}
        return body, self.identity() | input_states | finish_states

    @staticmethod
    def event(kind, states=None, **members):
        return Event({"type": kind} | members, name=kind, states=states or {})

    def stream(self):
        silent = "no_usage" in self.script.words
        usage, input_states = self.input_usage()
        message = {"id": self.identity()["response_id"], "type": "message", "role": "assistant", "model": self.model,
                   "content": [], "stop_reason": None, "stop_sequence": None}
        states = self.identity() if silent else self.identity() | input_states
        if silent:
            states.pop("service_tier")
        else:
            message["usage"] = usage | {"output_tokens": 1}
        yield self.event("message_start", states, message=message)
        block = {"type": "tool_use", "id": "toolu_1", "name": self.tool, "input": {}} if self.tool else {
            "type": "text", "text": ""}
        yield self.event("content_block_start", index=0, content_block=block)
        yield self.event("ping")
        for word in self.argument_words() if self.tool else self.words():
            delta = {"type": "input_json_delta", "partial_json": word} if self.tool else {
                "type": "text_delta", "text": word}
            yield self.event("content_block_delta", index=0, delta=delta)
        yield self.event("content_block_stop", index=0)
        reason, finish_states = self.finish()
        if silent:
            finish_states = {name: finish_states[name] for name in ("finish_reason", "tool_calls")}
        final = {} if silent else {"usage": {"output_tokens": self.tokens.output}}
        yield self.event("message_delta", finish_states, delta={"stop_reason": reason, "stop_sequence": None}, **final)
        yield self.event("message_stop")
