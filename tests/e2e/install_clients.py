#!/usr/bin/env python3
"""Installs the clients that come from registries into a folder: the npm packages of clients/package-lock.json; httpx,
websockets and what speaks HTTP/2 in Python into a virtual environment; and builds the Go program, which needs no module.
What cannot be had is written to missing.json with the reason, and its tests are skipped.

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
SECONDS = 120
HTTPX = "httpx==0.28.1"
WEBSOCKETS = "websockets==15.0.1"
# httpx speaks HTTP/2 with h2; hypercorn serves it; wsproto frames what goes over a WebSocket on it.
HTTP2 = ("h2==4.2.0", "hpack==4.1.0", "hyperframe==6.1.0", "hypercorn==0.17.3", "wsproto==1.2.0", "priority==2.0.0")


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


def install_httpx(folder):
    venv = os.path.join(folder, "venv")
    return (attempt("venv", sys.executable, "-m", "venv", "--clear", venv)
            or attempt("pip install httpx", os.path.join(venv, "bin", "python"), "-m", "pip", "install", "-q",
                       "--retries", "1", "--timeout", "20", HTTPX))


def install_websockets(folder):
    """Into the environment that httpx made."""
    return attempt("pip install websockets", os.path.join(folder, "venv", "bin", "python"), "-m", "pip", "install",
                   "-q", "--retries", "1", "--timeout", "20", WEBSOCKETS)


def install_http2(folder):
    """Likewise."""
    return attempt("pip install h2", os.path.join(folder, "venv", "bin", "python"), "-m", "pip", "install", "-q",
                   "--retries", "1", "--timeout", "20", *HTTP2)


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
    lock = contents(os.path.join(SOURCE, "package-lock.json"))
    go_source = contents(os.path.join(SOURCE, "go_http2", "main.go")) + (shutil.which("go") or "").encode()
    pinned = " ".join((HTTPX, WEBSOCKETS, *HTTP2))
    wanted = hashlib.sha256(lock + pinned.encode() + sys.executable.encode() + go_source).hexdigest()
    stamp = os.path.join(folder, "installed")
    if contents(stamp).decode() == wanted:
        return
    reasons = {"npm": install_npm(folder), "httpx": install_httpx(folder)}
    reasons["websockets"] = install_websockets(folder)
    reasons["http2"] = reasons["httpx"] or install_http2(folder)
    reasons["go"] = build_go(folder)
    missing = {what: reason for what, reason in reasons.items() if reason}
    with open(os.path.join(folder, "missing.json"), "w", encoding="utf-8") as file:
        json.dump(missing, file)
    for reason in missing.values():
        print(f"SKIPPED {reason}")
    if not missing.keys() - {"go"}:  # Go is not asked for again before it is there
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(wanted)


main()
