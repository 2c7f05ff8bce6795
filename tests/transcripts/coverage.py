#!/usr/bin/env python3
"""The table of docs/providers.md that says which transcript shows what of a dialect.

  coverage.py DOCS          writes the table between its markers
  coverage.py DOCS --check  exit 1 if the table is not what the transcripts say

A transcript says what it covers in its head ("# Covers: json, tools") and, in what it expects, of
which dialect (the first `dialect:`). A cell without a transcript must be excused below, with the
source that says so; an excuse for a cell that has one is an error too, and so is a dialect of
agent/base/names.cpp without a row.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = ["json", "stream", "error", "abort", "no usage", "tools", "cached", "reasoning"]
BEGIN, END = "<!-- transcripts: begin -->", "<!-- transcripts: end -->"

NO_STREAM = "not offered: one document"
NO_OUTPUT = "not offered: no text is generated"
NOT_SPLIT = "not offered: usage does not split it"
NO_TOKENS = "not offered: nothing is counted in tokens"
NOT_OFFERED = {
    "openai_realtime": {"json": "not offered: a WebSocket of turns"},
    "gemini_live": {"json": "not offered: a WebSocket of turns",
                    "error": "not offered: the server closes the socket"},
    "triton": {"tools": "not offered: text alone", "cached": NOT_SPLIT, "reasoning": NOT_SPLIT},
    "lmstudio": {"cached": NOT_SPLIT},
    "openai_completions": {"tools": "not offered: chat completions only", "reasoning": NOT_SPLIT},
    "openai_embeddings": {"stream": NO_STREAM, "abort": NO_STREAM,
                          "tools": NO_OUTPUT, "reasoning": NO_OUTPUT},
    "cohere_v1": {"reasoning": "not offered: version 2 only"},
    "openai_images": {"tools": NO_OUTPUT, "cached": NOT_SPLIT, "reasoning": NOT_SPLIT},
    "openai_audio": {"tools": NO_OUTPUT, "cached": NOT_SPLIT, "reasoning": NOT_SPLIT},
    "gemini_embeddings": {"stream": NO_STREAM, "abort": NO_STREAM, "tools": NO_OUTPUT,
                          "cached": NO_OUTPUT, "reasoning": NO_OUTPUT},
    "tgi": {"no usage": "not offered: headers or details", "tools": "not offered: text alone",
            "cached": NOT_SPLIT, "reasoning": NOT_SPLIT},
    "sglang": {"no usage": "not offered: every answer counts", "tools": "not offered: text alone"},
    "llamacpp": {"tools": "not offered: text alone", "reasoning": NOT_SPLIT,
                 "no usage": "not offered: every answer counts"},
    "mcp": {case: NO_TOKENS for case in ("no usage", "cached", "reasoning")},
    "a2a": {case: NO_TOKENS for case in ("no usage", "cached", "reasoning")}
    | {"tools": "not offered: agents are asked, not tools"},
}


def dialects():
    text = (ROOT / "agent/base/names.cpp").read_text()
    body = re.search(r"dialect_name\(Dialect dialect\) \{.*?kNames\[\] = \{(.*?)\};", text, re.S)[1]
    return [name for name in re.findall(r'"(\w+)"', body) if name != "unknown"]


def transcripts():
    found = {}
    for path in sorted((ROOT / "tests/transcripts").glob("*.dialogue")):
        text = path.read_text(errors="replace")
        covers = re.search(r"^# Covers: (.*)$", text, re.M)
        if not covers:
            continue
        named = re.search(r'^dialect: "(\w+)"$', text, re.M)
        said = re.search(r"^# Dialect: (\w+)$", text, re.M)
        if not (named or said):
            sys.exit(f"{path.name}: covers something, but of which dialect? (# Dialect: …)")
        for case in covers[1].split(", "):
            if case not in CASES:
                sys.exit(f"{path.name}: there is no case {case!r}")
            found.setdefault(((said or named)[1], case), []).append(path.stem)
    return found


def table():
    found = transcripts()
    names = dialects()
    for dialect, _ in found:
        if dialect not in names:
            sys.exit(f"a transcript is of dialect {dialect}, which nobody reads")
    lines = ["| dialect | " + " | ".join(CASES) + " |", "|---" * (len(CASES) + 1) + "|"]
    for dialect in names:
        cells = []
        for case in CASES:
            excuse = NOT_OFFERED.get(dialect, {}).get(case)
            shown = found.get((dialect, case))
            if shown and excuse:
                sys.exit(f"{dialect}, {case}: shown by {shown[0]}, and excused")
            if not (shown or excuse):
                sys.exit(f"{dialect}, {case}: neither shown by a transcript nor excused")
            cells.append(", ".join(shown) if shown else excuse)
        lines.append(f"| {dialect} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    docs = pathlib.Path(sys.argv[1])
    text = docs.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    fresh = f"{before}{BEGIN}\n{table()}\n{END}{after}"
    if "--check" not in sys.argv:
        docs.write_text(fresh)
    elif fresh != text:
        sys.exit(f"{docs} is stale: run {pathlib.Path(__file__).name} {docs}")


main()
