#!/usr/bin/env python3
"""client × what happens × who was there first: the records are the server's book.

Client and server run on this host, so every call is seen twice and must be counted once (legs 2)."""

from harness import clients
from harness.agent import Agent
from harness.calls import SCENARIOS, call, calls_of
from harness.case import Case, main
from harness.compare import differences
from harness.server import Server

KINDS = (clients.HTTP_CLIENT, clients.ASYNCIO, clients.HTTPX, clients.FETCH_STATIC, clients.FETCH_SHARED,
         clients.SDK_STATIC, clients.SDK_SHARED)
WARM_UP = "before the agent"


def cell_of(client, scenario):
    """The subject of a cell's calls, so that book and records tell the cells apart."""
    return f"{client}/{scenario}"


class CurlRow:
    """One process a call; with a gate, each waits for its body with libssl mapped."""

    name = "curl"

    def __init__(self, case, server, gate):
        self.clients = []
        for scenario in SCENARIOS:
            for asked in calls_of(scenario, cell_of(self.name, scenario)):
                self.clients.append((scenario, lambda asked=asked: clients.Curl(case, server, asked, gate=gate)))
        self.gate = gate
        if gate:
            self.clients = [(scenario, lambda started=start(): started) for scenario, start in self.clients]
            for _, client in self.clients:
                client().at_the_gate()

    def run(self):
        for scenario, start in self.clients:
            client = start()
            if self.gate:
                client.go()
            if scenario in ("abort", "killed"):
                client.read_events(3)
                client.leave() if scenario == "abort" else client.kill()
            else:
                client.end(may_fail=scenario == "server abort")


class JobRow:
    """One process for all calls but the last, which another makes, to be killed in the middle of it."""

    def __init__(self, case, server, kind, gate):
        self.name = kind.name
        calls = [asked for scenario in SCENARIOS[:-1] for asked in calls_of(scenario, cell_of(self.name, scenario))]
        last = calls_of(SCENARIOS[-1], cell_of(self.name, SCENARIOS[-1]))
        self.gate = gate
        if gate:
            # The connection is open and has carried a call when the agent comes.
            calls.insert(0, call(subject=WARM_UP))
            last.insert(0, call(subject=WARM_UP))
        gates = {"gate": 1} if gate else {}
        self.start = lambda: (kind.start(case, server, calls, **gates),
                              kind.start(case, server, last, hang=True, **gates))
        if gate:
            self.started = self.start()
            for client in self.started:
                client.at_the_gate()

    def run(self):
        client, victim = self.started if self.gate else self.start()
        if self.gate:
            client.go()
            victim.go()
        client.end()
        victim.kill_when_waiting()


class MatrixTest(Case):
    def kinds(self):
        for kind in KINDS:
            if reason := kind.reason_to_skip():
                print(f"SKIPPED {self.id()}, {kind.name}: {reason}", flush=True)
            else:
                yield kind

    def rows(self, server, gate):
        return [CurlRow(self, server, gate)] + [JobRow(self, server, kind, gate) for kind in self.kinds()]

    def check(self, server, agent, rows, order):
        count = sum(len(calls_of(scenario, "")) for scenario in SCENARIOS) * len(rows)
        book = [line for line in self.book(server, count) if line["subject"] != WARM_UP]
        agent.wait_for_records(count, *server.ports)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        records = agent.records(*server.ports)
        print(f"\n{order}: {len(book)} calls served, {len(records)} records, "
              f"{sum(record['legs'] for record in records)} observations")
        self.print_table(rows, book, records)
        found = differences(book, records)
        self.assertEqual(len(book), count)
        self.assertFalse(found, "\n" + "\n".join(found))
        # And the comparison can fail.
        self.assertTrue(differences([book[0] | {"input_tokens": book[0]["input_tokens"] + 1}, *book[1:]], records))
        self.assertTrue(differences(book, records[1:]))
        self.assertTrue(differences(book, [*records, records[0]]))

    @staticmethod
    def book(server, count):
        def served():
            return [line for line in server.book() if line["subject"] != WARM_UP]
        server.wait_for_calls(count + len(server.book()) - len(served()))
        return server.book()

    @staticmethod
    def print_table(rows, book, records):
        print(f"{'':20}" + "".join(f"{scenario:>17}" for scenario in SCENARIOS))
        for row in rows:
            cells = []
            for scenario in SCENARIOS:
                subject = cell_of(row.name, scenario)
                served = [line for line in book if line["subject"] == subject]
                seen = [record for record in records if record["subject"] == subject]
                wrong = differences(served, seen)
                cells.append(f"{len(seen)}/{len(served)} " + ("wrong" if wrong else "ok"))
            print(f"{row.name:20}" + "".join(f"{cell:>17}" for cell in cells), flush=True)

    def test_agent_first(self):
        server = Server(self)
        agent = Agent(self)
        rows = self.rows(server, gate=False)
        for row in rows:
            row.run()
        self.check(server, agent, rows, "agent first")

    def test_client_first(self):
        server = Server(self)
        rows = self.rows(server, gate=True)
        agent = Agent(self)
        for row in rows:
            row.run()
        self.check(server, agent, rows, "client first")


if __name__ == "__main__":
    main()
