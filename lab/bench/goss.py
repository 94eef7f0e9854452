"""What suites/host asks of one node, asked by goss on that node: its gossfile, from the bed file, and a timed run."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lab import machine
from lab.errors import LabError
from plumbline import subjects
from plumbline.bed import Bed
from plumbline.check import Cases
from plumbline.waivers import not_applicable

LIMIT = 60.0
FOLDER = "/run/plumbline-bench"
NOT_ASKED = (
    "host.answers (that goss runs is the answer)",
    "host.clock (needs a second clock)",
    "host.key-signed (needs a second side)",
    "that no other node has the same machine-id (needs the other nodes)",
)
"""What plumbline checks of the same node that goss cannot, since it looks from inside of one node."""


@dataclass(frozen=True)
class GossRun:
    """A run of goss: seconds of the whole process, seconds that goss itself counts, tests, and what failed."""

    seconds: float
    own_seconds: float
    tests: int
    failed: tuple[str, ...]


def gossfile(bed: Bed, node: str) -> dict[str, Any]:
    """The resources that goss is to look at on a node: what the bed's host profiles and suites/host ask there."""
    return {
        "kernel-param": {s.name: {"value": str(s.value)} for s in _asked(bed, node, "host.sysctl", "sysctls")},
        "service": {
            s.name: {"enabled": True, "running": True} for s in _asked(bed, node, "host.service-active", "services")
        },
        "file": _files(bed, node),
        "command": _commands(bed, node),
    }


def install(bed: str, node: str, program: Path, content: dict[str, Any]) -> None:
    """Put goss and its gossfile into a node, in its /run, for `run`."""
    script = f"mkdir -p {FOLDER} && cat > {FOLDER}/goss && chmod 755 {FOLDER}/goss"
    done = machine.feed(bed, node, ["sh", "-c", script], program, LIMIT)
    if done.returncode != 0:
        raise LabError(f"{node}: goss cannot be put there: {done.stderr.strip()}")
    machine.put(bed, node, f"{FOLDER}/goss.json", json.dumps(content, indent=1))


def remove(bed: str, node: str) -> None:
    """Take goss away again."""
    machine.run(bed, node, ["rm", "-rf", FOLDER])


def run(bed: str, node: str) -> GossRun:
    """Run goss once in a node, entered from the host (about 5 ms), without SSH."""
    command = [f"{FOLDER}/goss", "--gossfile", f"{FOLDER}/goss.json", "validate", "--format", "json"]
    began = time.monotonic()
    done = machine.run(bed, node, command, timeout=LIMIT)
    seconds = time.monotonic() - began
    try:
        said = json.loads(done.stdout)
        summary, results = said["summary"], said["results"]
        failed = tuple(f"{r['resource-id']} {r['property']}" for r in results if not r["successful"])
        return GossRun(seconds, summary["total-duration"] / 1e9, summary["test-count"], failed)
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{node}: goss said {(done.stderr or done.stdout).strip()[-300:]!r}") from error


def _asked(
    bed: Bed, node: str, check: str, part: Literal["sysctls", "modules", "services"]
) -> Iterable[subjects.Setting]:
    return _of(bed, node, check, subjects.settings(part))


def _of(bed: Bed, node: str, check: str, cases: Cases) -> Iterable[subjects.Setting]:
    """What a host profile asks of the node, without what the bed file says cannot be shown."""
    found = (case for case in cases(bed) if case.value.node == node)
    return [case.value for case in found if not not_applicable(bed, check, case.subject)]


def _files(bed: Bed, node: str) -> dict[str, Any]:
    files: dict[str, Any] = {
        "/etc/machine-id": {"exists": True, "contents": ["/^[0-9a-f]{32}$/"]},
        "/etc/resolv.conf": {"exists": True, "contents": _unwanted_resolvers(bed)},
    }
    for swap in _of(bed, node, "host.swap", subjects.setting("swap")):
        unwanted = "" if swap.value else "!"
        files["/proc/swaps"] = {"exists": True, "contents": [f"{unwanted}/(partition|file)/"]}
    for pages in _of(bed, node, "host.transparent-hugepages", subjects.setting("transparent_hugepages")):
        place = "/sys/kernel/mm/transparent_hugepage/enabled"
        files[place] = {"exists": True, "contents": [f"[{pages.value}]"]}
    for module in _asked(bed, node, "host.module", "modules"):
        files[f"/sys/module/{module.name}"] = {"exists": True}
    return files


def _unwanted_resolvers(bed: Bed) -> list[str]:
    return [f"!/^nameserver {re.escape(str(bed.kubernetes.dns))}$/"] if bed.kubernetes else []


def _commands(bed: Bed, node: str) -> dict[str, Any]:
    commands = {
        "hostname": [node],
        "grep -cE '^[^#]*[[:space:]]swap[[:space:]]' /etc/fstab 2>/dev/null || true": ["!/[1-9]/"],
        "systemctl list-units --failed --plain --no-legend": ["!/./"],
        "df --output=pcent /var": [r"/^ *([0-8]?[0-9])%$/"],
        "df --output=ipcent /var": [r"/^ *([0-8]?[0-9]%|-)$/"],
    }
    for service in _asked(bed, node, "host.service-steady", "services"):
        commands[f"systemctl show --property=NRestarts --value {service.name}"] = ["/^[0-2]$/"]
    if not not_applicable(bed, "host.kernel-log", f"setting:{node}/kernel-log"):
        commands["dmesg --level=emerg,alert,crit,err"] = ["!/./"]
    return {command: {"exit-status": 0, "stdout": wanted} for command, wanted in commands.items()}
