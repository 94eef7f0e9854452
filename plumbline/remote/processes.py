"""What programs of a node have used so far: processor, memory, and bytes over the TCP connections that are open."""

from __future__ import annotations

import os
import re
import time

from plumbline.remote.command import CommandError, run
from plumbline.remote.types import Json

_OWNER = re.compile(r"pid=(\d+)")
_BYTES = re.compile(r"\b(bytes_sent|bytes_received):(\d+)")


def describe(names: list[str]) -> Json:
    """The moment (s), and by process of one of these programs: its name, processor (s), memory (bytes), connections.

    Connections are told by their two ends, as bytes sent and received since they were made; `unread` says why they
    could not be seen. Needs root for the connections of others.
    """
    found: dict[int, Json] = {}
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        try:
            name = _program(pid)
            if name in names:
                found[pid] = {"name": name, "connections": {}, **_used(pid)}
        except (OSError, ValueError, IndexError):
            continue  # it has ended
    told: Json = {"at": time.monotonic(), "processes": found}
    try:
        _connections(found)
    except CommandError as error:
        told["unread"] = str(error)
    return told


def _program(pid: int) -> str:
    """By its first argument: the kernel's own name for it is cut after 15 letters."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        first = file.read(4096).split(b"\0")[0]
    return os.path.basename(first.decode("utf-8", "replace").split(" ")[0])


def _used(pid: int) -> Json:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    return {"cpu": (int(fields[11]) + int(fields[12])) / ticks, "memory": int(fields[21]) * page}


def _connections(processes: dict[int, Json]) -> None:
    """Each connection has a line of its own, and those of a program of interest name its process."""
    for line in run("ss", "-tinpHO").splitlines():
        words, owner = line.split(), _OWNER.search(line)
        if owner and int(owner[1]) in processes and len(words) > 4:
            counted = {name: int(number) for name, number in _BYTES.findall(line)}
            both = [counted.get("bytes_sent", 0), counted.get("bytes_received", 0)]
            processes[int(owner[1])]["connections"][f"{words[3]} {words[4]}"] = both
