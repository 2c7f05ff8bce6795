#!/usr/bin/env python3
"""Bodies larger than what holds them: nothing lost where it fits, every lost byte counted where it does not."""

import os
import signal

from harness import clients
from harness.agent import Agent
from harness.calls import call
from harness.case import Case, main, wait_until
from harness.compare import differences
from harness.server import Server

PAD = 20 << 20


def large_call():
    return call("chat") | {"pad": PAD}


class LargeTest(Case):
    def post(self, kind, *options):
        if reason := kind.reason_to_skip():
            self.skipTest(reason)
        server = Server(self)
        agent = Agent(self, *options)
        kind.start(self, server, [large_call()]).end()
        [served] = server.wait_for_calls(1)
        agent.wait_for_records(1, *server.ports)
        metrics = agent.get("/metrics")[1]
        self.assertEqual(agent.stop()[0], 0, agent.said())
        records = agent.records(*server.ports)
        self.assertEqual(len(records), 1, records)
        self.assertGreaterEqual(served["request_bytes"], PAD)
        return served, records[0], metrics

    def whole(self, kind):
        served, record, _ = self.post(kind)
        self.assertEqual(differences([served], [record]), [])

    def with_a_small_ring(self, kind):
        served, record, metrics = self.post(kind, "--ring-mib", "1")
        print(f"{kind.name}: {record['request_bytes']} seen + {record['lost_bytes']} lost, legs {record['legs']}")
        self.assertEqual(record["request_bytes"] + record["lost_bytes"], served["request_bytes"])
        for field in ("status_code", "input_tokens", "output_tokens", "input_source", "output_source", "outcome"):
            self.assertEqual(record[field], served[field], field)
        return metrics

    def test_post_of_20_mib_by_http_client(self):
        self.whole(clients.HTTP_CLIENT)

    def test_post_of_20_mib_by_node(self):
        self.whole(clients.FETCH_STATIC)

    def test_post_of_20_mib_by_http_client_with_a_ring_of_1_mib(self):
        self.with_a_small_ring(clients.HTTP_CLIENT)

    def test_post_of_20_mib_by_node_with_a_ring_of_1_mib(self):
        self.with_a_small_ring(clients.FETCH_STATIC)

    def test_burst_whose_end_is_lost(self):
        """The agent stands still while the ring fills up; the stream's end with its usage is among what is lost."""
        server = Server(self)
        agent = Agent(self, "--ring-mib", "1")
        client = clients.Curl(self, server, call("chat", stream=True, **{"x-events": "9000"}), gate=True)
        client.at_the_gate()
        agent.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: self.stopped(agent), "the agent to stand still")
        client.go()
        client.end()
        [served] = server.wait_for_calls(1)
        self.assertGreater(served["response_bytes"], 1 << 20)
        agent.process.send_signal(signal.SIGCONT)
        agent.wait_for_records(1, *server.ports)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        records = agent.records(*server.ports)
        self.assertEqual(len(records), 1, records)
        [record] = records
        print(f"{record['response_bytes']} of {served['response_bytes']} bytes seen, {record['lost_bytes']} lost, "
              f"usage {record['input_source']}/{record['output_source']}, {record['outcome']}, {record['flags']}")
        self.assertGreater(record["lost_bytes"], 0)
        self.assertNotEqual(record["input_source"], "reported")
        self.assertNotEqual(record["output_source"], "reported")
        self.assertIsNone(record["output_tokens"])

    @staticmethod
    def stopped(agent):
        with open(os.path.join("/proc", str(agent.process.pid), "stat"), encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"


if __name__ == "__main__":
    main()
