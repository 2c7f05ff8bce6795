"""The server's book against the agent's records: every call once, with what was served."""

FIELDS = (
    "method", "path", "dialect", "operation", "request_model", "response_model", "response_id", "request_id", "stream",
    "status_code", "outcome", "error_type", "finish_reason", "input_tokens", "cache_read_tokens",
    "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "reasoning_tokens", "input_source",
    "output_source", "tool_calls", "server_tool_requests", "service_tier", "subject", "issuer", "credential_kind",
    "end_user", "request_bytes")
# What the server wrote may not have reached a client that left: neither side's sight is wrong.
CUT = ("client_abort", "server_abort")


def stated(record):
    """The record without its estimates: a server's book has only what was said."""
    record = dict(record)
    for side in ("input", "output"):
        if record[f"{side}_source"] == "estimated":
            record[f"{side}_tokens"], record[f"{side}_source"] = None, "none"
    return record


def key_of(entry):
    """What names a call at both ends: the id its answer carries."""
    return entry["request_id"]


def differences(calls, records, legs=2, key_of=key_of):
    """Sentences; none if the records are the book's calls, each once. `key_of` pairs the two."""
    found = []
    by_key = {}
    for record in records:
        by_key.setdefault(key_of(record), []).append(record)
    for call in calls:
        mine = by_key.get(key_of(call), [])
        if len(mine) != 1:
            found.append(f"call {call['number']} ({name_of(call)}): {len(mine)} records")
        for record in mine[:1]:
            found += [f"call {call['number']} ({name_of(call)}): {sentence}"
                      for sentence in field_differences(call, record, legs)]
    served = {key_of(call) for call in calls}
    for key, extra in by_key.items():
        if key not in served:
            found += [f"a record of no call in the book: {summary_of(record)}" for record in extra]
    return found


def field_differences(call, record, legs):
    record = stated(record)
    found = [f"{field} is {record[field]!r}, served was {call[field]!r}"
             for field in FIELDS if record[field] != call[field] and not (field == "output_tokens" and cut_short(call, record))]
    if call["status_code"] is not None and record["provider"] != call["provider"]:
        found.append(f"provider is {record['provider']!r}, it was {call['provider']!r}")
    # An SDK that will try again does not read what the refusal says.
    unread = call["outcome"] == "http_error" and record["response_bytes"] == 0
    if call["outcome"] not in CUT and not unread and record["response_bytes"] != call["response_bytes"]:
        found.append(f"response_bytes is {record['response_bytes']}, served were {call['response_bytes']}")
    if record["lost_bytes"] != 0:
        found.append(f"lost_bytes is {record['lost_bytes']}")
    if legs is not None and record["legs"] != legs:
        found.append(f"legs is {record['legs']}, expected {legs} (side {record['side']}, process {record['process']})")
    return found


def cut_short(call, record):
    """A running total that the client read before it left: the last one written is no smaller."""
    return (call["outcome"] in CUT and call["output_source"] == "partial"
            and 0 < (record["output_tokens"] or 0) <= call["output_tokens"])


def name_of(call):
    if call["session"]:
        return call["session"]
    return f"{call['dialect']}, {'stream' if call['stream'] else 'JSON'}, {call['scenario'] or 'plain'}"


def summary_of(record):
    fields = ("request_id", "path", "request_model", "status_code", "outcome", "legs", "side", "process",
              "request_bytes", "response_bytes", "lost_bytes", "flags")
    return {field: record[field] for field in fields}
