"""Tiny jobs of Slurm: all submitted together, followed until each has come to what is wanted, and cleared away.

A job is {name, script, arguments, wanted: end, wait or refused}. What becomes of it: {id, error (of sbatch), tasks:
[{state, reason, nodes}], output, records: [{state, exit, account, nodes}]}.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import secrets
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from plumbline.remote import slurm_json
from plumbline.remote.command import CommandError
from plumbline.remote.types import Json

_POLL_S = 0.25
_ANSWER_S = 6.0
_MOST_OUTPUT = 4096
_FOLDER = "plumbline-"
_STALE_S = 3600
_LAST_S = 180
"""After which Slurm itself removes a job of a gate that has not begun."""
_RUNS = frozenset({"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED", "RESIZING", "SIGNALING"})
_WAITS = frozenset({"", "None", "Priority", "BeginTime", "Prolog"})
"""Reasons of a job that has not been looked at yet."""
_TURN = _WAITS | {"Resources", "JobArrayTaskLimit", "Cleaning"}
"""Reasons that pass by themselves, when other jobs end; with any other a job waits for somebody to change something."""


def as_user(name: str) -> dict[str, Any]:
    """Arguments of subprocess that make a program another user's. ValueError where there is no such user."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ValueError(f"this node has no user {name}") from None
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": entry.pw_dir,
        "USER": name,
        "LANG": "C.UTF-8",
    }
    if os.geteuid() == entry.pw_uid:
        return {"env": environment}
    return {"env": environment, "user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def run_jobs(request: Json, deadline: float) -> Json:
    """Submits the jobs of `request` as its user; `deadline` is monotonic. CommandError where none can be."""
    end = min(deadline, time.monotonic() + float(request["limit"]))
    folder = os.path.join(request["folder"], f"{_FOLDER}{secrets.token_hex(6)}")
    session = _Session(request, folder)
    started = time.monotonic()
    try:
        session.call(["mkdir", "--mode=0755", folder])
    except CommandError as error:  # without a place for its output no job is handed in
        found = {job["name"]: {**_untried(job), "error": str(error)} for job in request["jobs"]}
        return {"jobs": found, "unrecorded": "", "seconds": time.monotonic() - started}
    try:
        with ThreadPoolExecutor(len(request["jobs"]) + 1) as pool:
            found = dict(
                zip((j["name"] for j in request["jobs"]), pool.map(session.submit, request["jobs"]), strict=True)
            )
        session.follow(found, end)
        unrecorded = session.record(found, end) if request.get("accounting") else ""
        for job in found.values():
            job["output"] = _output(folder, job["name"])
    finally:
        session.clear()
    return {"jobs": found, "unrecorded": unrecorded, "seconds": time.monotonic() - started}


class _Session:
    """The jobs of one gate."""

    def __init__(self, request: Json, folder: str) -> None:
        self.request, self.folder = request, folder
        self.user = as_user(request["user"])
        self.ids: list[str] = []

    def call(self, command: list[str], stdin: str = "", user: str = "") -> str:
        """What a program says as the user of jobs; CommandError with its last words."""
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, errors="replace", timeout=_ANSWER_S, check=False,
                cwd="/", **(as_user(user) if user else self.user),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise CommandError(f"{command[0]}: no answer in {_ANSWER_S:g} s") from None
        if done.returncode != 0:
            raise CommandError(done.stderr.strip()[-300:] or f"{command[0]}: exit code {done.returncode}")
        return str(done.stdout)

    def submit(self, job: Json) -> Json:
        """Hands a job in, or only asks whether it could be (`wanted: fit`)."""
        output = os.path.join(self.folder, f"{job['name']}-%a.out")
        command = ["sbatch", "--parsable", f"--job-name=plumbline-{job['name']}", f"--output={output}", "--chdir=/tmp"]
        command += ["--no-requeue", f"--deadline=now+{_LAST_S}"]  # should nobody be there to cancel it
        command += ["--test-only"] if job["wanted"] == "fit" else []
        made = _untried(job)
        try:
            said = self.call([*command, *job["arguments"]], f"#!/bin/bash -l\n{job['script']}\n", job.get("user", ""))
        except CommandError as error:
            made["error"] = str(error).replace("sbatch: error: ", "").replace("sbatch: ", "")
        else:
            if job["wanted"] != "fit":
                made["id"] = said.strip().partition(";")[0]
                self.ids.append(made["id"])
        return made

    def follow(self, found: dict[str, Json], end: float) -> None:
        """Until every job has ended, or waits for a reason that does not pass."""
        while self.ids:
            listed = self.call(["squeue", "-r", "-h", "-t", "all", "-o", "%A|%F|%T|%r|%N", "-j", ",".join(self.ids)])
            rows = [line.split("|") for line in listed.splitlines()]
            for job in found.values():
                job["tasks"] = [
                    {"state": r[2], "reason": r[3], "nodes": r[4]}
                    for r in rows
                    if job["id"] and job["id"] in (r[0], r[1])
                ]
            if all(map(_come_to_it, found.values())) or time.monotonic() + _POLL_S > end:
                return
            time.sleep(_POLL_S)

    def record(self, found: dict[str, Json], end: float) -> str:
        """Until accounting has all those that ended; why it does not tell, or empty."""
        ended = [job for job in found.values() if job["wanted"] == "end" and job["tasks"] and _ended(job)]
        while ended:
            try:
                said = self.call(["sacct", "--json", "-j", ",".join(job["id"] for job in ended)])
            except CommandError as error:
                return str(error)
            try:
                told = slurm_json.records(said)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                return f"what sacct says cannot be read: {type(error).__name__}: {error}"[:300]
            for job in ended:
                job["records"] = [record for ids, record in told if job["id"] in ids]
            if all(len(job["records"]) >= len(job["tasks"]) and _written(job) for job in ended):
                break
            if time.monotonic() + _POLL_S > end:
                break
            time.sleep(_POLL_S)
        return ""

    def clear(self) -> None:
        """Nothing of this gate stays, nor what an earlier one had to leave behind long ago."""
        with contextlib.suppress(CommandError):
            if self.ids:
                self.call(["scancel", "--quiet", *self.ids])
        shutil.rmtree(self.folder, ignore_errors=True)
        for left in glob.glob(os.path.join(self.request["folder"], f"{_FOLDER}*")):
            with contextlib.suppress(OSError):
                if time.time() - os.stat(left).st_mtime > _STALE_S:
                    shutil.rmtree(left, ignore_errors=True)


def _untried(job: Json) -> Json:
    return {
        "name": job["name"], "wanted": job["wanted"], "id": "", "error": "", "tasks": [], "records": [], "output": "",
    }  # fmt: skip


def _come_to_it(job: Json) -> bool:
    if not job["id"]:
        return True
    if job["wanted"] == "end":
        return bool(job["tasks"]) and all(t["state"] not in _RUNS or stuck(t) for t in job["tasks"])
    return bool(job["tasks"]) and all(t["state"] != "PENDING" or t["reason"] not in _WAITS for t in job["tasks"])


def _ended(job: Json) -> bool:
    return all(task["state"] not in _RUNS for task in job["tasks"])


def stuck(task: Json) -> bool:
    """Whether a task waits for what does not come about by itself."""
    return task["state"] == "PENDING" and task["reason"] not in _TURN


def _written(job: Json) -> bool:
    return all(record["state"] not in _RUNS for record in job["records"])


def _output(folder: str, name: str) -> str:
    text = ""
    for path in sorted(glob.glob(os.path.join(folder, f"{name}-*.out"))):
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            text += file.read(_MOST_OUTPUT)
    return text
