"""`journal`: what a unit of this node wrote down of connections, as one JSON object a line in its journal.

args: unit, since (seconds of the epoch on the runner's clock), wanted=[[client, origin], …] (addresses).
facts: records: of each wanted pair the last line, whole: {"client>origin": {…}}.
Outcomes: ok where all were seen within the time, timeout where some were not; what was seen is there in both.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time

from plumbline.remote.types import OK, TIMEOUT, Answer, Json, Probe

_SLACK_S = 1.0


def probe(probe: Probe) -> Answer:
    """Follows the journal until every wanted pair was seen, or the time is up."""
    wanted = {f"{client}>{origin}" for client, origin in probe.args["wanted"]}
    since = min(float(probe.args["since"]), time.time()) - _SLACK_S  # a clock that is behind must not hide everything
    seen: dict[str, Json] = {}
    end = time.monotonic() + probe.timeout
    command = ["journalctl", "-u", probe.args["unit"], "-o", "cat", "-n", "all", "-f", "--since", f"@{since:.3f}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as log:
        assert log.stdout is not None
        rest = b""
        while wanted - seen.keys() and (left := end - time.monotonic()) > 0:
            if not select.select([log.stdout], [], [], left)[0]:
                continue
            chunk = os.read(log.stdout.fileno(), 1 << 16)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for record in filter(None, map(_record, lines)):
                pair = f"{_address(record['client'])}>{_address(record['origin'])}"
                if pair in wanted:
                    seen[pair] = record
        log.send_signal(signal.SIGKILL)
    missing = sorted(wanted - seen.keys())
    if missing:
        return Answer(TIMEOUT, f"{len(missing)} of {len(wanted)} were not written down", {"records": seen})
    return Answer(OK, None, {"records": seen})


def _record(line: bytes) -> Json | None:
    """A line that speaks of a connection; others, such as those of a start, are left out."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(found, dict) and isinstance(found.get("client"), str) and isinstance(found.get("origin"), str)
    return found if whole else None


def _address(end: str) -> str:
    return end.rpartition(":")[0]
