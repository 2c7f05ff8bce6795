#!/usr/bin/env python3
"""The questions of docs/metrics.md, put to a live agent: the answers are what the server's book says.

    test_questions.py --record      also writes scrapes and answers to tests/promql/scrapes, where every build asks again
"""

import decimal
import json
import os
import socket
import subprocess
import sys

from harness.agent import Agent
from harness.calls import call
from harness.case import HERE, Case, main, wait_until
from harness.clients import curl_command
from harness.server import Server
from test_coverage import client_hello

PROMQL = os.path.join(os.path.dirname(HERE), "promql")
sys.path.insert(0, PROMQL)
import questions  # noqa: E402  (it stands there)

RECORD = "--record" in sys.argv
HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}
TEAMS = {"svc-search": "search", "svc-assistant": "support", "svc-nightly": "search"}  # as in docs/metrics.md
# USD for a million tokens
PRICES = {"gpt-4o-mini": {"input": "0.15", "input_cache_read": "0.075", "output": "0.6"},
          "claude-opus-4-7": {"input": "5", "input_cache_read": "0.5", "input_cache_write_5m": "6.25",
                              "input_cache_write_1h": "10", "output": "25"}}
UNPRICED = "house-model-of-nobody"
KINDS = {"input_cache_read": "cache_read_tokens", "input_cache_write_5m": "cache_write_5m_tokens",
         "input_cache_write_1h": "cache_write_1h_tokens", "output_reasoning": "reasoning_tokens"}
LIMITS = {"openai": {"requests": 4999, "tokens": 399000}, "anthropic": {"requests": 49}}  # what the server says
BOUNDS = [0.01 * 2 ** i for i in range(14)] + [163.84, 327.68, 600.0]  # of histograms, in seconds
SCRAPES = os.path.join(PROMQL, "scrapes")


def with_key(asked, key):
    """In place of the token that names a subject."""
    return asked | {"headers": asked["headers"] | {"authorization": f"Bearer {key}"}}


def calls_of_one_round():
    unpriced = call("chat", subject="svc-nightly")
    unpriced["body"] = unpriced["body"] | {"model": UNPRICED}
    return [
        call("chat", subject="svc-search"), with_key(call("chat", stream=True), "sk-proj-questions"),
        call("messages", stream=True, subject="svc-assistant"), with_key(call("messages"), "sk-ant-api03-questions"),
        with_key(call("chat", "rate_limit"), "sk-proj-questions"), call("messages", "server_error", subject="svc-assistant"),
        call("chat", "never", subject="svc-nightly"), unpriced]


def tokens_of(line):
    """{type: tokens}, disjoint, as far as they were stated."""
    parts = {kind: line[member] for kind, member in KINDS.items() if line[member] is not None}
    for whole in ("input", "output"):
        if line[f"{whole}_tokens"] is not None:
            parts[whole] = line[f"{whole}_tokens"] - sum(tokens for kind, tokens in parts.items() if kind.startswith(whole))
    return parts


def cost_of(line):
    """In USD, exact; None if the model has no price or nothing was used."""
    prices, tokens = PRICES.get(line["response_model"]), tokens_of(line)
    if prices is None or not tokens:
        return None
    return sum(amount * decimal.Decimal(prices["output" if kind == "output_reasoning" else kind])
               for kind, amount in tokens.items()) / 10 ** 6


def total(entries):
    """[[labels, value]] of [(labels, value)], as `sum by` gives them."""
    sums = {}
    for labels, value in entries:
        key = tuple(sorted(labels.items()))
        sums[key] = sums.get(key, 0) + value
    return [[dict(key), float(value)] for key, value in sums.items()]


def shares(parts, wholes):
    """Of each part in the whole with which it has labels in common."""
    found = []
    for labels, value in parts:
        whole = next(value for others, value in wholes if all(labels[name] == label for name, label in others.items()))
        found.append([labels, value / whole])
    return found


def quantile(seconds, share):
    """As histogram_quantile() reads it out of the buckets."""
    rank, below, lower = share * len(seconds), 0, 0.0
    for bound in BOUNDS:
        within = sum(second <= bound for second in seconds)
        if within >= rank:
            return lower + (bound - lower) * (rank - below) / (within - below)
        below, lower = within, bound
    raise AssertionError("beyond the last bucket")


def answers_of(book, records):
    """{title: [[labels, value]]}: from the server's book, and from the records only what the server cannot know: ids of
    keys, the caller's process and how long it waited."""
    records = {record["request_id"]: record for record in records}
    key_of = {line["key_digest"]: {"key_id": records[line["request_id"]]["key_id"]} if line["credential_kind"] == "api_key"
              else {} for line in book if line["status_code"]}
    process = {record["process"] for record in records.values()}.pop()

    def named(line):
        return {"provider": line["provider"], "model": line["response_model"]}

    def spent(labels_of, lines=book):
        return total((labels_of(line), cost_of(line)) for line in lines if cost_of(line) is not None)

    tokens = [(line, kind, amount) for line in book for kind, amount in tokens_of(line).items()]
    inputs = [entry for entry in tokens if entry[1].startswith("input")]
    calls = total(({"provider": line["provider"]}, 1) for line in book)
    waits = {}
    for record in records.values():
        if record["stream"] and record["ttft_s"] is not None:
            waits.setdefault((record["provider"], record["response_model"]), []).append(record["ttft_s"])
    limits = {(line["provider"], *key_of[line["key_digest"]].items()) for line in book if line["status_code"]}
    connections = {provider: sum(line["provider"] == provider for line in book) for provider in HOSTS}
    return dict(zip(questions.questions(), [
        spent(lambda line: {"team": TEAMS[line["subject"]]}, [line for line in book if line["subject"]]),
        spent(lambda line: key_of[line["key_digest"]], [line for line in book if line["credential_kind"] == "api_key"]),
        spent(lambda line: {"workload": process}),
        spent(lambda line: {"leg": "provider"} | named(line)),
        total(({"type": kind, "source": "reported"}, amount) for _, kind, amount in tokens),
        shares(total((named(line), amount) for line, kind, amount in inputs if kind == "input_cache_read"),
               total((named(line), amount) for line, _, amount in inputs)),
        [[{"provider": provider, "model": model}, quantile(seconds, 0.95)] for (provider, model), seconds in waits.items()],
        shares(total(({"provider": line["provider"], "error_type": line["error_type"]}, 1) for line in book
                     if line["error_type"]), calls),
        shares(total(({"provider": line["provider"], "outcome": line["outcome"]}, 1) for line in book
                     if line["outcome"].endswith("_abort")), calls),
        [[{"provider": provider, "kind": kind, **dict(key)}, value] for provider, *key in sorted(limits)
         for kind, value in LIMITS[provider].items()],
        total((named(line), amount) for line, _, amount in tokens if line["response_model"] == UNPRICED),
        [[{"server": HOSTS[provider]}, number / (number + 1)] for provider, number in connections.items()],
    ]))


class QuestionsTest(Case):
    needs = ("openssl", "curl", "promtool")

    @staticmethod
    def ask_server(server, asked):
        """By the provider's own name, which leads here."""
        name = f"{HOSTS['anthropic' if asked['path'] == '/v1/messages' else 'openai']}:{server.https}"
        command = [word.replace(f"localhost:{server.https}", name) for word in curl_command(server, asked)]
        # What is never answered is given up.
        subprocess.run([*command, "--resolve", f"{name}:127.0.0.1", "-m", "1" if "never" in command[-3] else "20"],
                       capture_output=True)

    def open_in_vain(self, server, host):
        """A connection that says whose it is and no more; nobody can read it."""
        connection = socket.create_connection(("127.0.0.1", server.https))
        self.addCleanup(connection.close)
        connection.sendall(client_hello(host))

    def test_answers_are_the_books(self):
        server = Server(self, *[word for host in HOSTS.values() for word in ("--host", host)])
        agent = Agent(self)
        scrapes, count = [agent.scrape()], 0
        for host in HOSTS.values():
            self.open_in_vain(server, host)
        for _ in range(3):
            for asked in calls_of_one_round():
                self.ask_server(server, asked)
                count += 1
            agent.wait_for_records(count, *server.ports)
            scrapes += [agent.scrape(), agent.scrape()]  # born at 0, and with its value
        wait_until(lambda: sum(agent.metric("llm_connections_total", server=host, visibility="opaque")
                               for host in HOSTS.values()) == len(HOSTS), "the connections that nobody reads", 45)
        scrapes += [agent.scrape(), agent.scrape()]
        answers = answers_of(server.wait_for_calls(count), agent.records(*server.ports))
        self.assertEqual(len(answers), len(questions.questions()))
        self.assertTrue(all(answers.values()), answers)
        if RECORD:
            record(scrapes, answers)
        self.assertEqual(questions.ask(scrapes, answers), "")


def record(scrapes, answers):
    """Without comments, and without what no question asks for."""
    wanted = questions.names_in([*questions.questions().values(), questions.rules()], scrapes)
    for number, text in enumerate(scrapes):
        with open(os.path.join(SCRAPES, f"{number}.prom"), "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in text.splitlines() if line.partition("{")[0] in wanted)
    with open(os.path.join(SCRAPES, "answers.json"), "w", encoding="utf-8") as file:
        json.dump(answers, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    sys.argv = [argument for argument in sys.argv if argument != "--record"]
    main()
