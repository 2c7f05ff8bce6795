"""The official Python SDKs, openai and anthropic, plain and asynchronous, on the job of sdks.mjs."""

import asyncio
import json
import socket
import sys
import threading

import anthropic
import openai

JOB = json.loads(sys.argv[1])
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "model": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "get_weather", "description": '{"usage":{"prompt_tokens":7}}'}

resolve = socket.getaddrinfo


def resolve_here(_, *arguments, **named):
    """The providers' names all lead to this host."""
    return resolve("127.0.0.1", *arguments, **named)


socket.getaddrinfo = resolve_here


def text_of(call):
    """Each call asks something else, at every attempt the same."""
    return f"say something about {call['name']}"


def messages_of(call):
    return [{"role": "user", "content": text_of(call)}]


def openai_arguments(call):
    body = {"model": call["model"]}
    if call["api"] == "chat":
        body["messages"] = messages_of(call)
        if call["stream"]:
            body["stream_options"] = {"include_usage": True}
        if call["tools"]:
            body["tools"] = [{"type": "function", "function": TOOL | {"parameters": SCHEMA}}]
    elif call["api"] == "completions":
        body["prompt"] = text_of(call)
        if call["stream"]:
            body["stream_options"] = {"include_usage": True}
    else:
        body["input"] = text_of(call)
    if call["api"] != "embeddings":
        body["stream"] = call["stream"]
    return body


def openai_api(client, call):
    return {"chat": client.chat.completions, "completions": client.completions, "responses": client.responses,
            "embeddings": client.embeddings}[call["api"]]


def anthropic_arguments(call):
    body = {"model": call["model"], "max_tokens": 99, "messages": messages_of(call), "stream": call["stream"]}
    return body | {"tools": [TOOL | {"input_schema": SCHEMA}]} if call["tools"] else body


def asked(call):
    arguments = (anthropic_arguments if call["sdk"].startswith("anthropic") else openai_arguments)(call)
    return arguments | {"extra_headers": {"x-session-id": call["name"], "x-scenario": call["scenario"]}}


def client_of(call):
    """A client for each call: SDKs differ in whether one takes its retries apart from its calls."""
    url = JOB["urls"][call["sdk"]]
    made = {"openai": openai.OpenAI, "openai_async": openai.AsyncOpenAI, "anthropic": anthropic.Anthropic,
            "anthropic_async": anthropic.AsyncAnthropic}[call["sdk"]]
    of_openai = call["sdk"].startswith("openai")
    return made(api_key="sk-proj-e2e-py" if of_openai else "sk-ant-api03-e2e-py", max_retries=call["retries"],
                base_url=url + "/v1" if of_openai else url)


def api_of(client, call):
    return client.messages if call["sdk"].startswith("anthropic") else openai_api(client, call)


def make(call):
    with client_of(call) as client:
        answer = api_of(client, call).create(**asked(call))
        if call["stream"]:
            with answer:
                for seen, _ in enumerate(answer, 1):
                    if seen == call.get("events"):
                        break


async def make_async(call):
    async with client_of(call) as client:
        answer = await api_of(client, call).create(**asked(call))
        if call["stream"]:
            async with answer:
                seen = 0
                async for _ in answer:
                    seen += 1
                    if seen == call.get("events"):
                        break


def work(calls):
    for call in calls:
        end = "ok"
        try:
            asyncio.run(make_async(call)) if call["sdk"].endswith("_async") else make(call)
        except Exception as error:  # what the call is about, or what the test must show
            end = f"{type(error).__name__}: {error}"
        print(json.dumps({"name": call["name"], "end": end}), flush=True)


threads = [threading.Thread(target=work, args=([call for call in JOB["calls"] if call["sdk"] == sdk],))
           for sdk in dict.fromkeys(call["sdk"] for call in JOB["calls"])]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
