"""The scripted LLM server and clients for it, as `./dev soak` and `./dev demo` drive them."""

import contextlib
import json
import pathlib
import subprocess
import sys

E2E = pathlib.Path(__file__).resolve().parents[1] / "e2e"


class Server:
    def __init__(self, ready):
        self.http, self.https, self.ca = ready["http"], ready["https"], ready["ca"]
        self.book_file = pathlib.Path(ready["book"])

    def url(self, tls):
        return f"https://localhost:{self.https}" if tls else f"http://127.0.0.1:{self.http}"

    def records(self, path):
        """The agent's records of calls to this server: it sees the whole host."""
        records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [record for record in records if record["server_port"] in (self.http, self.https)]

    def book(self):
        """The calls it has served: their lines are written when they end."""
        if not self.book_file.exists():
            return []
        return [json.loads(line) for line in self.book_file.read_text().splitlines()]


@contextlib.contextmanager
def server(folder):
    command = [sys.executable, E2E / "server/llm_server.py", "--book", pathlib.Path(folder, "book.ndjson")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Server(json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(timeout=10)


def request(dialect, stream, model=None, scenario=None, events=None, key="sk-scripted-0001"):
    """One call in the form that tests/e2e/clients take."""
    body = {"model": model or ("claude-opus-4-7" if dialect == "anthropic" else "gpt-4o-mini"), "stream": stream,
            "messages": [{"role": "user", "content": "Tell me a story."}]}
    headers = {"x-events": str(events)} if events else {}
    if scenario:
        headers["x-scenario"] = scenario
    if dialect == "anthropic":
        return {"path": "/v1/messages", "headers": {**headers, "x-api-key": key, "anthropic-version": "2023-06-01"},
                "body": body | {"max_tokens": 100}}
    if stream:
        body["stream_options"] = {"include_usage": True}
    return {"path": "/v1/chat/completions", "headers": {**headers, "Authorization": f"Bearer {key}"}, "body": body}


def python_client(name, at, tls, calls, **options):
    """tests/e2e/clients/NAME (http_client.py, asyncio_client.py), making these calls on one connection."""
    job = {"url": at.url(tls), "ca": at.ca, "calls": calls, **options}
    return subprocess.Popen([sys.executable, E2E / "clients" / name, json.dumps(job)])


def curl(at, tls, call):
    command = ["curl", "-s", "-o", "/dev/null", "--cacert", at.ca, at.url(tls) + call["path"], "-H",
               "Content-Type: application/json", "--data-binary", json.dumps(call["body"])]
    for name, value in call["headers"].items():
        command += ["-H", f"{name}: {value}"]
    return subprocess.Popen(command)
