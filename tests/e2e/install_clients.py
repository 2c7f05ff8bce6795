#!/usr/bin/env python3
"""Installs the clients that come from registries into a folder: the npm packages of clients/package-lock.json, those of
clients/requirements.txt into a virtual environment; and builds the Go program, which needs no module. What cannot be had is
written to missing.json with the reason, and its tests are skipped.

    install_clients.py FOLDER
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "clients")
SECONDS = 200


def attempt(what, *command, cwd=None, environment=None):
    """Why it failed, or None."""
    try:
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=SECONDS, env=os.environ | (environment or {}))
    except FileNotFoundError:
        return f"{what}: {command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return f"{what}: not done within {SECONDS} s"
    if done.returncode == 0:
        return None
    said = [line for line in done.stderr.splitlines() if line.lower().startswith(("error", "npm error", "go: "))]
    return f"{what}: {said[0].strip() if said else 'it gave no reason'}"


def install_npm(folder):
    return attempt("npm ci", "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1",
                   "--fetch-timeout=20000", cwd=folder)


def install_python(folder):
    python = os.path.join(folder, "venv", "bin", "python")
    return (attempt("venv", sys.executable, "-m", "venv", "--clear", os.path.join(folder, "venv"))
            or attempt("pip install", python, "-m", "pip", "install", "-q", "--no-deps", "--retries", "1", "--timeout",
                       "20", "-r", os.path.join(SOURCE, "requirements.txt")))


def build_go(folder):
    """GOTOOLCHAIN: an older Go would fetch a newer one."""
    return attempt("go build", "go", "build", "-o", os.path.join(folder, "go_http2"), ".",
                   cwd=os.path.join(SOURCE, "go_http2"),
                   environment={"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0",
                                "GOCACHE": os.path.join(folder, "go-cache")})


def contents(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(SOURCE):
        if os.path.isfile(os.path.join(SOURCE, name)):
            shutil.copy(os.path.join(SOURCE, name), folder)
    locks = b"".join(contents(os.path.join(SOURCE, name)) for name in ("package-lock.json", "requirements.txt"))
    go_source = contents(os.path.join(SOURCE, "go_http2", "main.go")) + (shutil.which("go") or "").encode()
    wanted = hashlib.sha256(locks + sys.executable.encode() + go_source).hexdigest()
    stamp = os.path.join(folder, "installed")
    if contents(stamp).decode() == wanted:
        return
    reasons = {"npm": install_npm(folder), "python": install_python(folder), "go": build_go(folder)}
    missing = {what: reason for what, reason in reasons.items() if reason}
    with open(os.path.join(folder, "missing.json"), "w", encoding="utf-8") as file:
        json.dump(missing, file)
    for reason in missing.values():
        print(f"SKIPPED {reason}")
    if not missing.keys() - {"go"}:  # Go is not asked for again before it is there
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(wanted)


main()
