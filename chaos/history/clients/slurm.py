"""`slurm`: jobs submitted one after the other, each with a name of its own; acknowledged means that Slurm gave a number.

A value is there at the end when accounting says that its job came to its end as COMPLETED, however often it was begun.
"""

from __future__ import annotations

import time
from typing import ClassVar

from pydantic import Field, PrivateAttr

from chaos.call import ActionFailed
from chaos.history import client
from chaos.history.client import Answer, Talk
from chaos.reach import Done, Reach
from plumbline.bed import Bed
from plumbline.bed.slurm import Slurm

_LIMIT = 12.0
_DONE = ("COMPLETED",)
_WRITTEN = 15.0
"""Seconds after the last job in which accounting must have written all of them down."""


class Client(client.Writer):
    """Submits small jobs as the user of the bed's jobs; each takes `seconds`."""

    section: ClassVar[str] = "slurm"
    # a job that a node lost is begun again when its credential is void: 120 s, `cred_expire` of slurm.conf(5)
    final_limit: ClassVar[float] = 170.0
    seconds: int = Field(default=2, ge=0, le=60)
    _since: str = PrivateAttr("")
    _given: set[int] = PrivateAttr(default_factory=set)
    _ended: float = PrivateAttr(0.0)

    def nodes(self, bed: Bed, reach: Reach) -> frozenset[str]:
        return frozenset({_declared(bed).submit})

    def prepare(self, talk: Talk) -> None:
        self._cancel(talk)
        self._since = _run(talk, "date", "+%Y-%m-%dT%H:%M:%S").out.strip()  # accounting remembers earlier ones

    def write(self, talk: Talk, value: int) -> Answer:
        jobs = _declared(talk.bed).jobs
        account = [f"--account={jobs.account}"] if jobs and jobs.account else []
        asked = ["--parsable", f"--job-name={_name(talk, value)}", "--requeue", "--output=/dev/null", "--chdir=/tmp"]
        done = _run(talk, "sbatch", *asked, *account, "--wrap", f"sleep {self.seconds}")
        if done.code == 0 and done.out.strip():
            self._given.add(value)
            return Answer("ok")
        said = " ".join(done.err.split())[-160:]
        return Answer("unknown" if done.code == 124 or "time" in said.lower() else "failed", said=said)

    def read(self, talk: Talk, youngest: int) -> Answer:
        done = _run(talk, "squeue", "--noheader", "--states=all", "--me", "--format=%j")
        if done.code != 0:
            return Answer("failed", said=" ".join(done.err.split())[-160:])
        seen = [int(job.rpartition("-")[2]) for job in done.out.split() if job.startswith(_name(talk))]
        return Answer("ok", max((value for value in seen if value <= youngest), default=None))

    def final(self, talk: Talk) -> Answer:
        queued = _run(talk, "squeue", "--noheader", "--me", "--format=%j")
        if queued.code != 0 or _name(talk) in queued.out:
            return Answer("failed", said="jobs have not ended yet" if queued.code == 0 else "squeue does not answer")
        self._ended = self._ended or time.monotonic()
        asked = ["-X", "--noheader", "--parsable2", f"--starttime={self._since}", "--format=JobName%60,State%40"]
        done = _run(talk, "sacct", *asked)
        if done.code != 0:
            return Answer("failed", said=" ".join(done.err.split())[-160:])
        rows = [row.split("|") for row in done.out.splitlines()]
        own = {name: state.split()[0] for name, state in rows if name.startswith(_name(talk)) and state}
        there = {int(name.rpartition("-")[2]) for name, state in own.items() if state in _DONE}
        if self._given - there and time.monotonic() < self._ended + _WRITTEN:
            return Answer("failed", said="accounting has not written all of it yet")
        return Answer("ok", tuple(sorted(there)))

    def clean(self, talk: Talk) -> None:
        self._cancel(talk)

    def _cancel(self, talk: Talk) -> None:
        """Also what a recorder that was killed left behind."""
        queued = _run(talk, "squeue", "--noheader", "--me", "--format=%i %j")
        for line in queued.out.splitlines():
            number, _, name = line.strip().partition(" ")
            if name.startswith(_name(talk)):
                _run(talk, "scancel", number)


def _declared(bed: Bed) -> Slurm:
    if bed.slurm is None or bed.slurm.jobs is None:
        raise ActionFailed("the bed declares no jobs of Slurm", place=bed.bed)
    return bed.slurm


def _name(talk: Talk, value: int | None = None) -> str:
    return f"plumbline-history-{talk.name}-" + ("" if value is None else f"{value:06}")


def _run(talk: Talk, *command: str) -> Done:
    slurm = _declared(talk.bed)
    assert slurm.jobs is not None
    argv = ["runuser", "-u", slurm.jobs.user, "--", "timeout", f"{_LIMIT:.0f}", *command]
    return talk.reach.ask(slurm.submit, argv, limit=_LIMIT + 4)
