"""The questions of docs/metrics.md, as they stand there, put to scrapes by promtool.

A question is a heading of the fourth level below "Questions of a FinOps team" with one PromQL block under it; what a query
needs first, a recording rule, is the section's YAML block."""

import json
import math
import os
import re
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCS = os.path.join(ROOT, "docs", "metrics.md")
SECTION = "## Questions of a FinOps team\n"
STEP_SECONDS = 60  # between two scrapes
PARTS = 10 ** 9  # numbers are compared in whole billionths: sums of floats have an order


def section():
    with open(DOCS, encoding="utf-8") as file:
        text = file.read()
    begin = text.index(SECTION) + len(SECTION)
    return re.split(r"^## ", text[begin:], maxsplit=1, flags=re.MULTILINE)[0]


def questions():
    """{title: query}"""
    found = {}
    for part in re.split(r"^#### ", section(), flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        blocks = re.findall(r"```promql\n(.*?)```", rest, flags=re.DOTALL)
        if len(blocks) != 1:
            raise ValueError(f"{title!r} has {len(blocks)} queries")
        found[title] = " ".join(blocks[0].split())
    return found


def rules():
    """The recording rules that queries need."""
    return "".join(re.findall(r"```yaml\n(.*?)```", section(), flags=re.DOTALL))


def series_of(scrapes):
    """{series: its values, one for each scrape, None where it was not there}"""
    found = {}
    for number, text in enumerate(scrapes):
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            series, _, value = line.rpartition(" ")
            found.setdefault(series, [None] * len(scrapes))[number] = value
    return found


def unit_test(scrapes, answers, names):
    """promtool's unit test. `answers`: {title: [[labels, value], …]}; `names`: the metrics that go in."""
    asked = questions()
    lines = ["rule_files: [rules.yml]", f"evaluation_interval: {STEP_SECONDS}s", "tests:", f"- interval: {STEP_SECONDS}s",
             "  input_series:"]
    for series, values in series_of(scrapes).items():
        if re.match(r"\w+", series)[0] in names:
            text = " ".join("_" if value is None else value for value in values)
            lines += [f"  - series: {json.dumps(series)}", f"    values: '{text}'"]
    lines.append("  promql_expr_test:")
    for title, samples in answers.items():
        lines += [f"  - expr: {json.dumps(f'round(({asked[title]}) * {PARTS})')}", f"    eval_time: {STEP_SECONDS * (len(scrapes) - 1)}s",
                  "    exp_samples:" if samples else "    exp_samples: []"]
        for labels, value in samples:
            text = ",".join(f"{name}={json.dumps(label)}" for name, label in sorted(labels.items()))
            lines += [f"    - labels: {json.dumps('{' + text + '}')}", f"      value: {math.floor(value * PARTS + 0.5)}"]
    return "\n".join(lines) + "\n"


def names_in(queries, scrapes):
    """The metrics that the queries name, of those there are."""
    there = {re.match(r"\w+", series)[0] for series in series_of(scrapes)}
    return {word for query in queries for word in re.findall(r"\b(?:llm|wiretally)_\w+", query)} & there


def ask(scrapes, answers):
    """What promtool says against the answers; empty if they are right."""
    with tempfile.TemporaryDirectory(prefix="wiretally-promql-") as folder:
        with open(os.path.join(folder, "rules.yml"), "w", encoding="utf-8") as file:
            file.write(rules())
        path = os.path.join(folder, "questions.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(unit_test(scrapes, answers, names_in(list(questions().values()) + [rules()], scrapes)))
        done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
        return "" if done.returncode == 0 else done.stdout + done.stderr
