#!/usr/bin/env python3
"""The pairs of requests and answers that wiretally and tshark find in the same captures.

    differential_test.py WIRETALLY FOLDER…

Captures are those of make_odd.py and those kept beside this file. Where the two differ on purpose, DIFFERENCES says why.
"""

import glob
import json
import os
import shutil
import subprocess
import sys

SKIPPED = 77
# What tshark must be told: to put segments in order (it reads them as they come), and VXLAN's other port.
OPTIONS = ("-o", "tcp.reassemble_out_of_order:TRUE", "-o", "tcp.check_checksum:FALSE", "-o", "ip.defragment:TRUE",
           "-d", "udp.port==8472,vxlan", "-d", "tcp.port==8080,http")
FIELDS = ("tcp.stream", "frame.number", "http.request.method", "http.request.uri", "http.response.code",
          "http.request_in")

# Capture → why the pairs differ, and what tshark finds there.
CHAT = "/v1/chat/completions"
DIFFERENCES = {
    "lost_segment.pcap": (
        "a segment of each answer is lost, and tshark shows no answer then. RFC 9112 section 8: a client that receives an "
        "incomplete response message must record it as incomplete; so it was answered",
        [("POST", CHAT, None), ("POST", CHAT, None)]),
    "one_call_three_addresses.pcap": (
        "one connection before and behind address translation. RFC 3022 section 2: translation is transparent to the end "
        "hosts, who made one call; tshark has a conversation for each pair of addresses",
        [("POST", CHAT, 200), ("POST", CHAT, 200)]),
}
# What the calls of make_odd.py used: path → input and output tokens.
USAGE = {CHAT: (21, 34), "/v1/embeddings": (8, None), "/v1/messages": (21, 34)}


def pairs_of_tshark(file):
    """(method, path, status), sorted; status None where no answer was found."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    done = subprocess.run(["tshark", "-r", file, "-2", "-Y", "http.request or http.response", "-T", "fields",
                           "-E", "occurrence=l", *fields, *OPTIONS], capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    requests = {row[1]: row for row in rows if row[2]}
    pairs = []
    for row in rows:
        if row[4] and (asked := requests.get(row[5])):
            pairs.append((asked[2], asked[3].partition("?")[0], int(row[4])))
    answered = {row[5] for row in rows if row[4]}
    pairs += [(row[2], row[3].partition("?")[0], None) for number, row in requests.items() if number not in answered]
    return sorted(pairs, key=str)


def records_of_wiretally(wiretally, file):
    done = subprocess.run([wiretally, "replay", file, "--format", "ndjson"], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def pairs_of_wiretally(records):
    return sorted(((record["method"], record["path"], record["status_code"]) for record in records), key=str)


def untrue(records):
    """Records of make_odd.py's calls that are not exact."""
    return [record for record in records
            if (record["input_tokens"], record["output_tokens"]) != USAGE[record["path"]] or record["lost_bytes"] != 0
            or set(record["flags"]) - {"time_clamped"} or record["outcome"] != "ok"]


def main():
    wiretally, *folders = sys.argv[1:]
    if shutil.which("tshark") is None:
        print("SKIPPED: tshark is not installed")
        sys.exit(SKIPPED)
    files = [file for folder in folders for file in sorted(glob.glob(os.path.join(folder, "*.pcap*")))]
    equal, wrong = 0, 0
    for file in files:
        name = os.path.basename(file)
        records = records_of_wiretally(wiretally, file)
        theirs, ours = pairs_of_tshark(file), pairs_of_wiretally(records)
        if os.path.basename(os.path.dirname(file)) == "odd" and (bad := untrue(records)):
            wrong += 1
            print(f"{name}: not exact: {bad}")
            continue
        if theirs == ours and name not in DIFFERENCES:
            equal += 1
        elif name in DIFFERENCES and theirs == DIFFERENCES[name][1] and theirs != ours:
            print(f"{name}: differs as known: {DIFFERENCES[name][0]}")
        else:
            wrong += 1
            print(f"{name}:\n  tshark    {theirs}\n  wiretally {ours}")
    print(f"{equal} of {len(files)} captures: the same pairs; {len(DIFFERENCES)} known differences; {wrong} wrong")
    sys.exit(1 if wrong or equal < 20 else 0)


if __name__ == "__main__":
    main()
