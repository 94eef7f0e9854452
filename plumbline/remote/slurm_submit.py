"""Jobs of a load: one is submitted for each line that is read; all of that name are gone when there are no more lines.

A line in is the number of a job. Lines out: {number, id, error} for each, whenever sbatch has answered; {left} at the
end, how many jobs were still listed after half a minute, -1 where Slurm does not tell.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from plumbline.remote.slurm_jobs import as_user
from plumbline.remote.types import Json

_ANSWER_S = 20.0
_GONE_S = 30.0
_POLL_S = 0.25
_LAST_S = 180
"""After which Slurm itself removes a job that has not begun, should nobody be there to cancel it."""


def run(request: Json) -> None:
    """Submits until standard input ends, however it does, and then clears away."""
    with ThreadPoolExecutor(request["at_once"]) as pool:
        for line in sys.stdin.buffer:
            pool.submit(_submit, request, int(line))
        pool.shutdown(wait=True, cancel_futures=True)
    _say({"left": _clear(request)})


def _submit(request: Json, number: int) -> None:
    command = ["sbatch", "--parsable", f"--job-name={request['name']}", "--chdir=/tmp", "--no-requeue"]
    command += [f"--deadline=now+{_LAST_S}", *request["arguments"]]
    code, told, why = _call(request, command, "#!/bin/sh\n")
    _say({"number": number, "id": told.partition(";")[0] if code == 0 else "", "error": "" if code == 0 else why})


def _clear(request: Json) -> int:
    """Cancels all jobs of that name, an earlier load's too, until none is listed; how many are left."""
    mine, end = [f"--user={request['user']}", f"--name={request['name']}"], time.monotonic() + _GONE_S
    while True:
        _call(request, ["scancel", "--quiet", *mine])
        code, listed, _ = _call(request, ["squeue", "--noheader", "--format=%A", *mine])
        left = len(listed.split()) if code == 0 else -1
        if left == 0 or time.monotonic() > end:
            return left
        time.sleep(_POLL_S)


def _call(request: Json, command: list[str], stdin: str = "") -> tuple[int, str, str]:
    """Exit code, what a program says as the user of jobs, and its last words where it fails."""
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, errors="replace", timeout=_ANSWER_S, check=False,
            cwd="/", **as_user(request["user"]),
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return -1, "", f"{command[0]}: {type(error).__name__}"
    said = done.stderr.strip().splitlines()
    return done.returncode, done.stdout.strip(), said[-1].rpartition(": ")[2] if said else f"exit {done.returncode}"


_one_at_a_time = threading.Lock()


def _say(told: Json) -> None:
    with _one_at_a_time, suppress(OSError):  # nobody listens any more: jobs are cleared away all the same
        os.write(1, (json.dumps(told) + "\n").encode())
