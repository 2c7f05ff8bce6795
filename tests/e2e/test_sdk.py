#!/usr/bin/env python3
"""The official SDKs against a server that speaks their providers' formats, each under its provider's own name: what was
called, how it ended and what each kind of token came to, every attempt once."""

import json
import time

from harness import clients
from harness.agent import Agent
from harness.case import Case, main
from harness.compare import differences
from harness.server import Server

EVENTS = 5  # after so many a stream is left

# sdk: its host, and the models of its APIs
SDKS = {
    "openai": ("api.openai.com", {"chat": "gpt-4o-mini", "responses": "gpt-4.1", "completions": "gpt-3.5-turbo-instruct",
                                  "embeddings": "text-embedding-3-small"}),
    "anthropic": ("api.anthropic.com", {"messages": "claude-opus-4-7"}),
    "google": ("generativelanguage.googleapis.com", {"generate": "gemini-2.5-flash", "embeddings": "gemini-embedding-001"}),
    "cohere": ("api.cohere.com", {"chat": "command-a-03-2025", "embeddings": "embed-v4.0", "rerank": "rerank-v3.5"}),
    "mistral": ("api.mistral.ai", {"chat": "mistral-large-2512", "embeddings": "mistral-embed"}),
    "groq": ("api.groq.com", {"chat": "openai/gpt-oss-120b"}),
    "ollama": ("ollama.example", {"chat": "qwen3:8b", "embeddings": "nomic-embed-text"}),
    "bedrock": ("bedrock-runtime.us-east-1.amazonaws.com",
                {"converse": "us.anthropic.claude-opus-4-7", "invoke": "anthropic.claude-haiku-4-5-20251001-v1:0"}),
}
PYTHON = {"openai": SDKS["openai"], "openai_async": SDKS["openai"], "anthropic": SDKS["anthropic"],
          "anthropic_async": SDKS["anthropic"]}
SDKS["bedrock_http1"] = SDKS["bedrock"]
NO_CACHE_PRICE = ("gpt-3.5-turbo-instruct",)  # the price list knows none for it
NO_STREAM = ("embeddings", "rerank")
NO_RETRIES = ("ollama",)  # an SDK that never tries again

# column: (stream, the server's scenario, more of the call)
COLUMNS = {
    "JSON": (False, "", {}),
    "stream": (True, "", {}),
    "tools": (False, "tools", {"tools": True}),
    "stream, tools": (True, "tools", {"tools": True}),
    "429": (False, "rate_limit", {}),
    "429, then 200": (False, "rate_limit,once", {"retries": 2}),
    "500, then stream": (True, "server_error,once", {"retries": 2}),
    "error in stream": (True, "error_in_stream", {}),
    "left": (True, "slow", {"events": EVENTS}),
}


def calls_of(sdks, client):
    """All the calls of one client, each with a name of its own."""
    for sdk, (_, models) in sdks.items():
        for api, model in models.items():
            for column, (stream, scenario, more) in COLUMNS.items():
                if stream and api in NO_STREAM or "tools" in scenario and api in (*NO_STREAM, "completions", "invoke"):
                    continue
                if more.get("retries") and sdk in NO_RETRIES:
                    continue
                if column == "error in stream" and sdk == "mistral":
                    continue  # what it sends then is not documented
                yield {"sdk": sdk, "api": api, "model": model, "name": f"{client}/{sdk}/{api}/{column}", "stream": stream,
                       "scenario": scenario, "tools": False, "retries": 0, "column": column} | more


def attempts(call):
    return 2 if call["retries"] else 1


class SdkTest(Case):
    needs = ("openssl", "node")

    def kinds(self):
        for kind, sdks in ((clients.ALL_SDKS_STATIC, SDKS), (clients.ALL_SDKS_SHARED, SDKS), (clients.PYTHON_SDKS, PYTHON)):
            if reason := kind.reason_to_skip():
                print(f"SKIPPED {self.id()}, {kind.name}: {reason}", flush=True)
            else:
                yield kind, sdks

    def start(self, server):
        """(all calls to be made, the clients that make them, each at its gate)"""
        asked, started = [], []
        for kind, sdks in self.kinds():
            calls = list(calls_of(sdks, kind.name))
            urls = {sdk: f"https://{host}:{server.http2 if sdk == 'bedrock' else server.https}"
                    for sdk, (host, _) in sdks.items()}
            asked += calls
            started.append(kind.start(self, server, calls, urls=urls))
        if not asked:
            self.skipTest("no SDK could be installed")
        for client in started:
            client.at_the_gate()
        return asked, started

    def test_every_call_as_it_was_served(self):
        hosts = {host for host, _ in SDKS.values()}
        server = Server(self, "--http2", *[word for host in hosts for word in ("--host", host)])
        asked, started = self.start(server)
        # A client that does not read a refusal keeps its connection: the call's other end has long ended.
        agent = Agent(self, "--count-hold", "5s")
        began = time.monotonic()
        for client in started:
            client.go()
        ends = {}
        for client in started:
            ends |= {line["name"]: line["end"] for line in map(json.loads, client.lines())}
        for call in asked:
            self.check_end(call, ends[call["name"]])
        count = sum(attempts(call) for call in asked)
        book = server.wait_for_calls(count)
        agent.wait_for_records(count, *server.ports)
        print(f"\n{len(asked)} calls in {count} attempts took {time.monotonic() - began:.1f} s")
        self.assertEqual(agent.stop()[0], 0, agent.said())
        records = agent.records(*server.ports)
        self.assertEqual(len(book), count)
        print_table(asked, book, records)
        found = differences_by_session(book, records)
        self.assertFalse(found, "\n" + "\n".join(found))
        # And the comparison can fail.
        first = next(line for line in book if line["output_tokens"])
        others = [line for line in book if line is not first]
        self.assertTrue(differences_by_session([first | {"output_tokens": first["output_tokens"] + 1}, *others], records))
        self.assertTrue(differences_by_session(book, records[1:]))
        self.assertTrue(differences_by_session(book, [*records, dict(records[0])]))
        self.check_retries(records)
        for record in records:
            self.assertEqual((record["leg"], record["gateway"]), ("provider", None), record)
            self.check_cost(record)

    def check_end(self, call, end):
        """What the SDK made of it: a server that no SDK understands would prove nothing."""
        if call["column"] == "429":
            self.assertNotEqual(end, "ok", call["name"])
        elif call["column"] == "left":
            self.assertTrue(end == "ok" or "abort" in end.lower(), f"{call['name']}: {end}")
        elif call["column"] != "error in stream":  # some raise, some hand it on
            self.assertEqual(end, "ok", call["name"])

    def check_retries(self, records):
        """Each attempt is a record of its own, and the later one names the earlier."""
        by_session = {}
        for record in sorted(records, key=lambda record: record["start_time"]):
            by_session.setdefault(record["session"], []).append(record)
        for session, attempted in by_session.items():
            self.assertEqual(len({record["record_id"] for record in attempted}), len(attempted), session)
            for earlier, later in zip([None, *attempted], attempted):
                wanted = earlier["record_id"] if earlier else None
                self.assertEqual(later["retry_of"], wanted, session)

    def check_cost(self, record):
        """Reported tokens of a priced model cost something, and searches; of a refused call nothing is known."""
        reported = record["usage_source"] == "reported" and record["input_tokens"] is not None
        reported = reported or record["operation"] == "rerank" and record["server_tool_requests"] is not None
        unpriced = record["provider"] == "ollama" or record["cache_read_tokens"] and record["request_model"] in NO_CACHE_PRICE
        self.assertEqual(record["cost_usd"] is not None, reported and not unpriced, record)


def differences_by_session(book, records):
    return differences(book, records, key_of=session_and_turn(book, records))


def session_and_turn(*lists):
    """A key for each entry: its session, which is the call's name, and which of the attempts it is. Not every answer
    carries an id."""
    keys = {}
    for entries in lists:
        turns = {}
        for entry in sorted(entries, key=lambda entry: entry.get("start") or entry["start_time"]):
            session = entry["session"]
            turns[session] = turns.get(session, 0) + 1
            keys[id(entry)] = (session, turns[session])
    return lambda entry: keys[id(entry)]


def print_table(asked, book, records):
    """records/attempts of each API in each column, over all clients"""
    def rows_of(entries):
        rows = {}
        for entry in entries:
            _, sdk, api, column = entry["session"].split("/")
            rows.setdefault((f"{sdk} {api}", column), []).append(entry)
        return rows
    served, seen = rows_of(book), rows_of(records)
    print(f"{'':26}" + "".join(f"{column:>18}" for column in COLUMNS))
    for row in dict.fromkeys(f"{call['sdk']} {call['api']}" for call in asked):
        cells = []
        for column in COLUMNS:
            mine, theirs = served.get((row, column), []), seen.get((row, column), [])
            wrong = "wrong" if differences_by_session(mine, theirs) else "ok"
            cells.append(f"{len(theirs)}/{len(mine)} {wrong}" if mine or theirs else "")
        print(f"{row:26}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
