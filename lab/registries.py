"""Where this machine fetches programs from: its registries and the proxies before them, as far as it says so itself.

A bed that covered one of their addresses would cut the machine off from them for as long as its lab is up.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from lab.rootfs import apt_options, apt_sources

RESOLVE_LIMIT = 3.0
"""Seconds that names may take to resolve, all together; one that takes longer cannot be in use just now."""
_VARIABLES = re.compile(r"^(https?_proxy|all_proxy|goproxy|gosumdb|(pip|uv)_.*(url|proxy|links|index))$", re.IGNORECASE)
_NO_HOST = {"", "direct", "off"}
_URL = re.compile(r"\b(?:https?|socks[45]h?)://(?:[^/@\s\"']*@)?([A-Za-z0-9._-]+)")


def hosts(environment: Mapping[str, str] = os.environ) -> set[str]:
    """Names and addresses out of the settings of proxies, pip, Go and apt."""
    return {host.rstrip(".").lower() for text in _settings(environment) for host in _URL.findall(text)}


def addresses() -> dict[IPv4Address, str]:
    """Every IPv4 address that these hosts have now, with the host; names that do not resolve are left out."""
    found: dict[IPv4Address, str] = {}
    threads = [threading.Thread(target=_resolve, args=(host, found), daemon=True) for host in sorted(hosts())]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + RESOLVE_LIMIT
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(found)


def _settings(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if _VARIABLES.match(name):
            # A proxy may be written without its scheme.
            words = set(re.split(r"[,|\s]+", value)) - _NO_HOST
            yield from (word if "://" in word else f"http://{word}" for word in words)
    yield apt_sources()
    yield "\n".join(apt_options())
    home = Path(environment.get("HOME") or "/root")
    files = [Path("/etc/pip.conf"), home / ".config/pip/pip.conf", home / ".pip/pip.conf", Path(sys.prefix, "pip.conf")]
    for file in (*files, Path(environment.get("PIP_CONFIG_FILE", "/etc/pip.conf")), home / ".config/go/env"):
        with suppress(OSError):
            yield file.read_text(encoding="utf-8", errors="replace")


def _resolve(host: str, found: dict[IPv4Address, str]) -> None:
    with suppress(OSError, UnicodeError):
        for *_, where in socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM):
            found[IPv4Address(where[0])] = host
