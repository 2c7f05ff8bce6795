"""The calls that clients are told to make."""

import base64
import json


def jwt(subject, signature="c2ln"):
    def encode(claims):
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f'{encode({"alg": "RS256"})}.{encode({"sub": subject, "iss": "https://issuer.example"})}.{signature}'


MESSAGES = [{"role": "user", "content": "say something"}]

BODIES = {
    "chat": ("/v1/chat/completions", {"model": "gpt-4o-mini", "messages": MESSAGES}),
    "responses": ("/v1/responses", {"model": "gpt-4.1", "input": "say something"}),
    "messages": ("/v1/messages", {"model": "claude-opus-4-7", "max_tokens": 99, "messages": MESSAGES}),
    "embeddings": ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "say something"}),
}


def call(kind="chat", scenario="", stream=False, subject="somebody", events=None, **headers):
    """`events`: leave the stream after so many."""
    path, body = BODIES[kind]
    if stream:
        body = body | {"stream": True}
        if kind == "chat":
            body = body | {"stream_options": {"include_usage": True}}
    asked = {"path": path, "body": body,
             "headers": {"authorization": f"Bearer {jwt(subject)}", "x-scenario": scenario, **headers}}
    return asked if events is None else asked | {"events": events}


# What the matrix has for columns.
SCENARIOS = ("JSON", "SSE", "gzip", "429", "error in stream", "server abort", "abort", "killed")


def calls_of(scenario, subject):
    """The calls of one cell. Aborted streams are slow ones, so that the client leaves long
    before their end."""
    kinds = ("chat", "messages")
    if scenario == "JSON":
        return [call(kind, subject=subject) for kind in (*kinds, "responses", "embeddings")]
    if scenario == "SSE":
        return [call(kind, stream=True, subject=subject) for kind in (*kinds, "responses")]
    if scenario == "gzip":
        return [call(kind, "gzip", stream, subject=subject) for kind in kinds for stream in (False, True)]
    if scenario == "429":
        return [call(kind, "rate_limit", subject=subject) for kind in kinds]
    if scenario == "error in stream":
        return [call(kind, "error_in_stream", True, subject=subject) for kind in (*kinds, "responses")]
    if scenario == "server abort":
        return [call(kind, "server_abort", True, subject=subject) | {"broken": True} for kind in kinds]
    if scenario == "abort":
        return [call(kind, "slow", True, subject=subject, events=5) for kind in kinds]
    return [call("messages", "slow", True, subject=subject, events=5)]
