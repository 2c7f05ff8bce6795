#!/usr/bin/env python3
"""price_lists.py TOOL LIST… : every model of each list, over several usages, priced twice: by TOOL (the book, from the
list's file) and here, from the list's numbers in Python's decimal. They must agree to the last of 12 decimals, and on
what has no price at all.

A list is LiteLLM's JSON, or a directory or file named genai-*.json of genai-prices' shape (providers with models and
prices per million tokens), which is handed to TOOL as YAML overrides. A list that is not there is skipped (exit 77 if
none was).

TOOL reads lines "provider TAB model TAB tier TAB name=count …" and answers each with the cost in USD, or "null".
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
from decimal import Decimal, ROUND_HALF_EVEN, localcontext

SKIPPED = 77

# Counts are primes, so that no rate can stand in for another; the last two cross every band.
USAGES = [
    {"input": 1009, "output": 503},
    {"input": 120011, "cache_read": 99991, "output": 7},
    {"input": 32000, "output": 3},
    {"input": 23011, "cache_read": 19997, "cache_write_5m": 2003, "output": 499, "reasoning": 101},
    {"input": 9973, "cache_write_1h": 4999, "output": 11},
    {"input": 7919, "input_audio": 613, "output": 907},
    {"input": 7919, "input_audio": 613, "output": 907, "output_audio": 89},
    {"input": 7919, "input_image": 211, "output": 907},
    {"input": 7919, "output": 907, "output_image": 31},
    {"input": 7919, "input_audio": 613, "input_image": 211, "output": 907, "output_audio": 89, "output_image": 31},
    {"input": 272001, "output": 1009},
    {"input": 1000003, "cache_read": 500009, "output": 65537, "reasoning": 4099},
    {"input": 9001, "cache_read": 3001, "input_audio": 4001, "output": 5},
    {"input": 9001, "cache_read": 3001, "input_audio": 4001, "cache_read_audio": 1009, "output": 5},
    {"audio_ms": 61507},
    {"search_units": 13},
]
TIERS = ["", "priority", "flex", "batch"]

ITEMS = {
    "input_cost_per_token": "input",
    "input_cost_per_token_cache_hit": "cache_read",
    "cache_read_input_token_cost": "cache_read",
    "cache_read_input_audio_token_cost": "cache_read_audio",
    "cache_creation_input_token_cost": "cache_write_5m",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "input_cost_per_image_token": "input_image",
    "output_cost_per_image_token": "output_image",
}
SUFFIXES = {"": "", "_priority": "priority", "_flex": "flex", "_batches": "batch", "_ultrafast": "ultrafast"}
FIELD = re.compile("(" + "|".join(sorted(ITEMS, key=len, reverse=True)) +
                   r")(?:_above_(\d+)k_tokens)?(|_priority|_flex|_batches|_ultrafast)$")

OWNERS = [  # of LiteLLM's list: how owners begin, the provider of records, the prefixes of keys, the usual one first
    ("openai", "openai", ["", "openai/"]),
    ("text-completion-openai", "openai", ["", "text-completion-openai/"]),
    ("azure_ai", "azure.ai.inference", ["azure_ai/", ""]),
    ("azure", "azure.ai.openai", ["azure/", ""]),
    ("anthropic", "anthropic", ["", "anthropic/"]),
    ("bedrock", "aws.bedrock", ["", "bedrock/", "bedrock_mantle/"]),
    ("gemini", "gcp.gemini", ["gemini/", ""]),
    ("vertex_ai", "gcp.vertex_ai", ["vertex_ai/", ""]),
    ("mistral", "mistral_ai", ["mistral/", ""]),
    ("cohere", "cohere", ["", "cohere/", "cohere_chat/"]),
    ("groq", "groq", ["groq/", ""]),
    ("deepseek", "deepseek", ["deepseek/", ""]),
    ("perplexity", "perplexity", ["perplexity/", ""]),
    ("xai", "x_ai", ["xai/", ""]),
    ("openrouter", "openrouter", ["openrouter/", ""]),
    ("together_ai", "together", ["together_ai/", ""]),
    ("fireworks_ai", "fireworks", ["fireworks_ai/", ""]),
    ("moonshot", "moonshot_ai", ["moonshot/", ""]),
]


def named(owner, key):
    """(provider, model, rank) of an entry of LiteLLM's list."""
    for begin, provider, prefixes in OWNERS:
        if owner.startswith(begin):
            prefix = max((p for p in prefixes if key.startswith(p)), key=len, default=None)
            if prefix is None:
                return provider, key, len(prefixes)
            return provider, key[len(prefix):], prefixes.index(prefix)
    head, slash, tail = key.partition("/")
    return (owner, tail, 0) if slash and head == owner else (owner, key, 1)


class Row:
    """{(above, tier): {item: USD a token}}, fee a request; no cells: not priced by tokens. `units`: USD for one."""

    def __init__(self, cells, request=Decimal(0), border=False, units=None):
        self.cells, self.request, self.border, self.units = cells, request, border, units or {}

    def cost(self, usage, tier):
        for name, divisor in (("audio_ms", 1000), ("search_units", 1)):
            if name in usage:
                price = self.units.get(name)
                return None if price is None or tier else usage[name] * price / divisor
        if not self.cells:
            return None
        bands = sorted({above for above, _ in self.cells} | {0})
        above = max(b for b in bands if usage["input"] > b or (self.border and usage["input"] == b) or b == 0)
        card = self.cells.get((above, tier or "standard"), {})
        base = self.cells.get((0, "standard"), {})
        total, text, visible = Decimal(0), usage["input"], usage["output"]

        def apart(item, of):
            return item in card or (item in base and base[item] != base.get(of))

        left = dict(usage)
        if usage.get("cache_read_audio"):  # part of both, priced once
            item = "cache_read_audio" if apart("cache_read_audio", "cache_read") else "cache_read"
            if item not in card:
                return None
            total += usage["cache_read_audio"] * card[item]
            for whole in ("cache_read", "input_audio"):
                left[whole] -= usage["cache_read_audio"]
            text -= usage["cache_read_audio"]
        elif left.get("cache_read") and left.get("input_audio") and apart("cache_read_audio", "cache_read"):
            return None  # nobody says how much of the one is the other
        for item in ("cache_read", "cache_write_5m", "cache_write_1h", "input_audio", "input_image"):
            count = left.get(item, 0)
            if not count or (item == "input_image" and not apart(item, "input")):
                continue
            if item not in card:
                return None
            total += count * card[item]
            text -= count
        for item in ("output_audio", "output_image", "reasoning"):
            count = usage.get(item, 0)
            if not count or (item == "reasoning" and not apart(item, "output")):
                continue
            if item not in card:
                return None
            total += count * card[item]
            visible -= count
        for item, count in (("input", text), ("output", visible)):
            if count and item not in card:
                return None
            total += count * card.get(item, 0)
        return total + self.request


def rounded(value):
    return value.quantize(Decimal("1e-12"), ROUND_HALF_EVEN)


def per_token(text):
    """A price as the book keeps it: 1e-15 USD, half to even."""
    return Decimal(text).quantize(Decimal("1e-15"), ROUND_HALF_EVEN)


def tell_published_rules(provider, cells):
    """What a provider's documentation says of all its models, where the list is silent."""
    for above in {band for band, _ in cells}:
        standard, batch = cells.get((above, "standard"), {}), cells.get((above, "batch"), {})
        if provider == "mistral_ai" and "input" in standard:  # cached: 10 % of input
            standard.setdefault("cache_read", per_token(standard["input"] / 10))
        if provider == "groq" and "input" in standard:  # cached: 50 % of input
            standard.setdefault("cache_read", per_token(standard["input"] / 2))
        if provider == "anthropic":  # batches: 50 % of everything, the cache included
            for item, price in standard.items():
                batch.setdefault(item, per_token(price / 2))
            cells[(above, "batch")] = batch
        if provider == "gcp.gemini":  # batches: 50 %, but for cached input
            for item, price in standard.items():
                batch.setdefault(item, price if item == "cache_read" else per_token(price / 2))
            cells[(above, "batch")] = batch


def units_of(entry):
    def price(field):
        value = per_token(Decimal(entry.get(field) or 0))
        return value if value > 0 else None

    units, sound, text = {}, price("input_cost_per_second"), price("output_cost_per_second")
    if entry.get("mode") == "audio_transcription" and (sound is None or text is None or sound == text):
        units["audio_ms"] = sound or text
    if entry.get("mode") == "rerank":
        units["search_units"] = price("input_cost_per_query")
    return {name: value for name, value in units.items() if value is not None}


def litellm_rows(entries):
    """{(provider, model): Row}; of two keys of one model the one with the usual prefix."""
    rows, ranks = {}, {}
    for key, entry in entries.items():
        if not isinstance(entry, dict):
            continue
        cells, otherwise = {}, False
        for field, value in entry.items():
            if isinstance(value, str):
                try:
                    value = Decimal(value)
                except ArithmeticError:
                    continue
            if not isinstance(value, Decimal):
                continue
            match = FIELD.match(field)
            if match and 0 <= value <= 1:
                band = int(match[2] or 0) * 1000
                cells.setdefault((band, SUFFIXES[match[3]] or "standard"), {})[ITEMS[match[1]]] = per_token(value)
            elif "_cost_per_" in field and field != "input_cost_per_request" and 0 < per_token(value) <= 1:
                otherwise = True
        unreadable = "off_peak_pricing" in entry or "citation_cost_per_token" in entry
        if "tiered_pricing" in entry:
            cells = {}
            for step in entry["tiered_pricing"]:
                if "range" not in step:
                    unreadable = True
                    break
                prices = {ITEMS[f]: per_token(v) for f, v in step.items() if f in ITEMS}
                cells[(int(step["range"][0]), "standard")] = prices
        costs = any(v > 0 for card in cells.values() for v in card.values())
        if unreadable or (not costs and otherwise):
            cells = {}
        elif not costs:
            continue
        owner = entry.get("litellm_provider", "")
        provider, model, rank = named(owner, key)
        name = (provider, model)
        if name in rows and ranks[name] < rank:
            continue
        ranks[name] = rank
        tell_published_rules(provider, cells)
        # xAI's bands hold from exactly their border on
        rows[name] = Row(cells, per_token(entry.get("input_cost_per_request", Decimal(0))), owner == "xai",
                         units_of(entry))
    return rows


GENAI_ITEMS = {"input_mtok": "input", "output_mtok": "output", "cache_read_mtok": "cache_read",
               "cache_write_mtok": "cache_write_5m", "input_audio_mtok": "input_audio",
               "output_audio_mtok": "output_audio", "cache_audio_read_mtok": "cache_read_audio"}


def genai_rows(providers, yaml):
    """{(provider, model): Row}, and the same as overrides in `yaml`."""
    rows = {}
    yaml.write("prices:\n")
    for provider in providers:
        for model in provider["models"]:
            prices = model["prices"]
            if isinstance(prices, list):  # the last row without hours of the day
                timeless = [p for p in prices if "start_time" not in p.get("constraint", {})]
                prices = timeless[-1]["prices"]
            bands = {0}
            for price in prices.values():
                if isinstance(price, dict):
                    bands |= {int(step["start"]) for step in price["tiers"]}
            cells = {}
            for above in bands:
                card = cells.setdefault((above, "standard"), {})
                for field, price in prices.items():
                    if field not in GENAI_ITEMS:
                        continue
                    if isinstance(price, dict):
                        steps = [s for s in price["tiers"] if int(s["start"]) <= above]
                        price = max(steps, key=lambda s: s["start"])["price"] if steps else price["base"]
                    card[GENAI_ITEMS[field]] = price
            if "input" not in cells[(0, "standard")] or (provider["id"], model["id"]) in rows:
                continue
            yaml.write(f"  - provider: {json.dumps(provider['id'])}\n    model: {json.dumps(model['id'])}\n")
            for item, price in cells[(0, "standard")].items():
                yaml.write(f"    {item}: {price}\n")
            if len(bands) > 1:
                yaml.write("    above:\n")
            for above in sorted(bands - {0}):
                pairs = "".join(f", {item}: {price}" for item, price in cells[(above, "standard")].items())
                yaml.write(f"      - {{tokens: {above}{pairs}}}\n")
            fee = prices.get("requests_kcount")
            if fee is not None:
                yaml.write(f"    request: {format(fee / 1000, 'f')}\n")
            rows[(provider["id"], model["id"])] = Row(
                {at: {item: per_token(price / 1000000) for item, price in card.items()} for at, card in cells.items()},
                per_token((fee or Decimal(0)) / 1000))
    yaml.flush()
    return rows


def undated(model):
    return re.sub(r"([-@]\d{8}|-\d{4}-\d\d-\d\d)$", "", model)


def expected_cost(rows, provider, model, usage, tier):
    """What a snapshot's row does not state its undated model's does, where both have the same standard prices."""
    row = rows[(provider, model)]
    cost, wide = row.cost(usage, tier), rows.get((provider, undated(model)))
    if cost is None and wide and row.cells and row.cells.get((0, "standard")) == wide.cells.get((0, "standard")):
        cost = wide.cost(usage, tier)
    return cost


def check(tool, flag, path, rows):
    asked, lines = [], []
    for provider, model in sorted(rows):
        for usage in USAGES:
            for tier in TIERS:
                asked.append((provider, model, tier, usage))
                counts = " ".join(f"{name}={count}" for name, count in usage.items())
                lines.append(f"{provider}\t{model}\t{tier}\t{counts}\n")
    run = subprocess.run([tool, flag, str(path)], input="".join(lines), text=True, capture_output=True)
    if run.returncode != 0:
        sys.exit(f"{path}: {run.stderr}")
    answers = run.stdout.splitlines()
    assert len(answers) == len(asked), (len(answers), len(asked))
    wrong = priced = 0
    for (provider, model, tier, usage), answer in zip(asked, answers):
        expected = expected_cost(rows, provider, model, usage, tier)
        got = None if answer == "null" else Decimal(answer)
        priced += got is not None
        if got != (None if expected is None else rounded(expected)):
            wrong += 1
            if wrong <= 20:
                print(f"WRONG {provider} {model} tier={tier or 'standard'} {usage}: got {answer}, expected {expected}")
    print(f"{path}: {len(rows)} models, {len(asked)} calls, {priced} of them priced, {wrong} wrong")
    return wrong == 0


def main():
    tool, lists = sys.argv[1], [pathlib.Path(word) for word in sys.argv[2:]]
    there = [path for path in lists if path.is_file()]
    if not there:
        absent = " and ".join(map(str, lists)) + " not there" if lists else "cmake was not given WIRETALLY_PRICE_LISTS"
        print("SKIPPED public price lists: " + absent)
        return SKIPPED
    right = True
    with localcontext() as context:
        context.prec = 60
        for path in there:
            content = json.loads(path.read_text(), parse_float=Decimal, parse_int=Decimal)
            if isinstance(content, list):
                with tempfile.NamedTemporaryFile("w", suffix=".yaml") as yaml:
                    rows = genai_rows(content, yaml)
                    right &= check(tool, "--overrides", yaml.name, rows)
            else:
                right &= check(tool, "--list", path, litellm_rows(content))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
