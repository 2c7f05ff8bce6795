#!/usr/bin/env python3
"""What Prometheus makes of it: a short job's tokens are all there, and the text is as promtool wants it."""

import os
import subprocess

from harness import clients
from harness.agent import Agent, samples
from harness.calls import call
from harness.case import Case, main, wait_until
from harness.server import Server

# Columns of the book for each kind of token; they are disjoint on the metrics side.
KINDS = {
    "input_cache_read": lambda served: served["cache_read_tokens"],
    "input_cache_write_5m": lambda served: served["cache_write_5m_tokens"],
    "input_cache_write_1h": lambda served: served["cache_write_1h_tokens"],
    "input": lambda served: served["input_tokens"] - served["cache_read_tokens"] - served["cache_write_5m_tokens"]
    - served["cache_write_1h_tokens"],
    "output": lambda served: served["output_tokens"],
}


class MetricsTest(Case):
    needs = ("openssl", "promtool")

    def test_a_job_of_one_call(self):
        server = Server(self)
        agent = Agent(self)
        model = f"claude-e2e-{os.getpid()}"  # nobody else's on this machine
        asked = call("messages", stream=True)
        asked["body"] = asked["body"] | {"model": model}
        # The second call of the book has tokens of each kind that this dialect knows.
        clients.HTTP_CLIENT.start(self, server, [call("chat")]).end()
        clients.HTTP_CLIENT.start(self, server, [asked]).end()
        served = server.wait_for_calls(2)[1]
        agent.wait_for_records(2, *server.ports)
        first, second = agent.scrape(), agent.scrape()
        wanted = {kind: tokens(served) for kind, tokens in KINDS.items()}
        rules = self.path("scrapes.yml")
        with open(rules, "w", encoding="utf-8") as file:
            file.write(rule_test(first, second, model, wanted))
        done = subprocess.run(["promtool", "test", "rules", rules], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # The same test with one token more must fail, or it proves nothing.
        with open(rules, "w", encoding="utf-8") as file:
            file.write(rule_test(first, second, model, wanted | {"output": wanted["output"] + 1}))
        self.assertNotEqual(subprocess.run(["promtool", "test", "rules", rules], capture_output=True).returncode, 0)

    def test_the_text_is_well_formed(self):
        server = Server(self)
        agent = Agent(self)
        calls = [call("chat"), call("messages", stream=True), call("chat", "rate_limit"),
                 call("messages", "error_in_stream", True), call("chat", "tools")]
        clients.HTTP_CLIENT.start(self, server, calls).end()
        agent.wait_for_records(len(calls), *server.ports)
        text = agent.get("/metrics")[1]
        self.assertIn("llm_tokens_total", text)
        self.assertIn("wiretally_capture_bytes_total", text)
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_bytes_add_up(self):
        server = Server(self)
        agent = Agent(self)
        calls = [call("chat"), call("messages", stream=True), call("chat", "gzip", True)]
        clients.HTTP_CLIENT.start(self, server, calls).end()
        clients.HTTP_CLIENT.start(self, server, calls, tls=False).end()
        agent.wait_for_records(2 * len(calls), *server.ports)

        def totals():
            text = agent.get("/metrics")[1]
            return [sum(value for _, value in samples(text, f"wiretally_{name}_bytes_total"))
                    for name in ("capture", "parsed", "skipped", "dropped")]

        def balanced():
            """Between two of the agent's steps a byte may be in neither."""
            captured, *rest = totals()
            return captured > 0 and captured == sum(rest)

        wait_until(balanced, lambda: f"captured = parsed + skipped + dropped: {totals()}")


def rule_test(first, second, model, wanted):
    """promtool's unit test of one rule: two scrapes a minute apart, and what increase() must make of them."""
    later = {tuple(sorted(labels.items())): value for labels, value in samples(second, "llm_tokens_total")}
    text = "evaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n"
    for labels, value in samples(first, "llm_tokens_total"):
        if labels["model"] != model:
            continue
        selector = ",".join(f'{name}="{label}"' for name, label in labels.items())
        text += f"  - series: 'llm_tokens_total{{{selector}}}'\n"
        text += f"    values: '{value:g} {later[tuple(sorted(labels.items()))]:g}'\n"
    text += "  promql_expr_test:\n"
    for kind, tokens in wanted.items():
        text += f"""  - expr: sum(increase(llm_tokens_total{{type="{kind}"}}[90s])) or vector(0)
    eval_time: 1m
    exp_samples:
    - value: {tokens}
"""
    return text


if __name__ == "__main__":
    main()
