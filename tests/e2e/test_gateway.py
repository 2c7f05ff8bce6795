#!/usr/bin/env python3
"""app → gateway → provider, all three watched by the probes: one call is counted once."""

import json
import os
import subprocess
import sys

from harness import clients
from harness.agent import Agent
from harness.calls import call
from harness.case import HERE, Case, main, wait_until
from harness.server import Server

SLOW_SECONDS = 60


class Gateway:
    def __init__(self, case, server):
        command = [sys.executable, os.path.join(HERE, "server", "gateway.py"), "--upstream", server.url(),
                   "--upstream-ca", server.ca]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.stop)
        ready = json.loads(self.process.stdout.readline())
        self.https, self.ca, self.pid = ready["https"], ready["ca"], ready["pid"]
        self.ports = (self.https,)

    def url(self, tls=True):
        return f"https://localhost:{self.https}"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.process.stdout.close()


def counters(agent, model):
    """Of calls of this model, as anyone but a scraper sees them."""
    return sorted(line for line in agent.get("/metrics")[1].splitlines()
                  if line.startswith("llm_") and f'model="{model}"' in line and "in_flight" not in line)


class GatewayTest(Case):
    def setUp(self):
        super().setUp()
        self.model = f"gpt-gateway-{os.getpid()}"  # nobody else's on this machine
        self.server = Server(self)
        self.gateway = Gateway(self, self.server)
        self.agent = Agent(self, "--no-packets", "--privacy-subjects", "plain")
        self.ports = (*self.server.ports, *self.gateway.ports)

    def start(self, stream, **headers):
        asked = call("chat", stream=stream, subject="the-app", **headers)
        asked["body"] = asked["body"] | {"model": self.model}
        return clients.HTTP_CLIENT.start(self, self.gateway, [asked])

    def records(self, count):
        self.agent.wait_for_records(count, *self.ports)
        self.assertEqual(self.agent.stop()[0], 0, self.agent.said())
        records = self.agent.records(*self.ports)
        self.assertEqual(len(records), count, records)
        return records

    def check_folded(self, record, served):
        self.assertEqual(record["leg"], "provider")
        self.assertEqual(record["legs"], 4, record)  # both ends of both connections
        self.assertEqual(record["subject"], "the-app")
        self.assertEqual(record["response_id"], served["response_id"])
        self.assertEqual(record["input_tokens"], served["input_tokens"])
        self.assertEqual(record["output_tokens"], served["output_tokens"])
        self.assertEqual(record["legs_tokens_delta"], 0)
        self.assertNotEqual(record["pid"], self.gateway.pid)

    def test_ids_passed_on_and_rewritten(self):
        for words in ("", "rewrite"):
            for stream in (False, True):
                self.start(stream, **{"x-gateway": words}).end()
        records = self.records(4)
        for record, served in zip(records, self.server.wait_for_calls(4)):
            self.check_folded(record, served)

    def test_what_the_gateway_had_in_its_cache(self):
        self.start(False).end()
        self.agent.wait_for_records(1, *self.ports)
        self.start(False, **{"x-gateway": "cached"}).end()
        first, hit = self.records(2)
        self.check_folded(first, self.server.wait_for_calls(1)[0])
        self.assertEqual(hit["leg"], "gateway")
        self.assertEqual((hit["gateway"], hit["cache_status"]), ("litellm", "hit"))
        self.assertTrue(hit["served_from_cache"])
        self.assertEqual(hit["input_tokens"], first["input_tokens"])
        self.assertEqual(float(hit["cost_usd"]), 0)

    def test_a_fallback_with_two_upstream_legs(self):
        self.start(False, **{"x-gateway": "fallback,rewrite"}).end()
        thrown_away, passed_on = self.records(2)
        served = self.server.wait_for_calls(2)
        self.check_folded(passed_on, served[1])
        self.assertEqual(thrown_away["leg"], "provider")
        self.assertEqual(thrown_away["legs"], 2)
        self.assertEqual(thrown_away["input_tokens"], served[0]["input_tokens"])

    def test_a_client_that_is_slower_than_the_upstream_call(self):
        client = self.start(True, **{"x-gateway": f"rewrite,slow={SLOW_SECONDS}"})
        self.agent.wait_for_records(1, *self.ports)
        before = counters(self.agent, self.model)
        self.assertTrue(before)
        client.end(SLOW_SECONDS + 60)
        wait_until(lambda: self.agent.metric("wiretally_late_twins_total") >= 2, "both late observations", 30)
        self.assertEqual(counters(self.agent, self.model), before)
        self.records(1)


if __name__ == "__main__":
    main()
