"""One connection to the node from which jobs are submitted, for all users of a Locust process."""

from __future__ import annotations

import itertools
import json
import shlex
import tempfile
from contextlib import suppress
from typing import Any

import gevent
from gevent import subprocess
from gevent.event import AsyncResult

from locustfiles.failed import CallFailed
from plumbline.collect import program
from plumbline.collect.ssh import Login, Ssh

CLEARED = 40.0
"""Seconds that the node has for its jobs to be gone."""


class SlurmSession:
    """A program on the node that submits a job for each line that it is sent, and clears all away when it ends."""

    def __init__(self, ssh: Ssh, login: Login, request: dict[str, Any], seconds: float) -> None:
        """`request` as plumbline.remote.slurm_submit has it; `seconds` is how long the session may last in all."""
        self._asked = program.ahead({"nonce": "", "deadline": seconds, "submit": request})
        python = f"python3 -IS -c {shlex.quote(program.START)}"
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # it lasts as long as this does
        self._process = subprocess.Popen(
            ssh.command(login, python), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._waiting: dict[int, AsyncResult] = {}
        self._numbers = itertools.count()
        self._left: int | None = None
        self._write(self._asked)
        self._reading = gevent.spawn(self._read)

    @property
    def lost(self) -> bool:
        """Whether the connection has ended."""
        return bool(self._reading.ready())

    def submit(self, timeout: float) -> str:
        """The id of a new job; CallFailed where there is none within `timeout` seconds."""
        number, answered = next(self._numbers), AsyncResult()
        self._waiting[number] = answered
        try:
            self._write(f"{number}\n".encode())
            told = answered.get(timeout=timeout)
        except gevent.Timeout:
            raise CallFailed("timeout: no answer") from None
        finally:
            self._waiting.pop(number, None)
        if told["error"]:
            raise CallFailed(told["error"])
        return str(told["id"])

    def end(self) -> str:
        """Ends it, and waits until the node has cleared its jobs away; what went wrong, or empty."""
        process = self._process
        assert process.stdin is not None
        with suppress(OSError):
            process.stdin.close()
        self._reading.join(timeout=CLEARED)
        process.kill()
        process.wait()
        self._errors.seek(0)
        said = self._errors.read(4096).decode("utf-8", "replace").strip()[-300:]
        self._errors.close()
        if self._left is None:
            return f"the node did not say that its jobs are gone: {said or 'no answer'}"
        return f"{self._left} jobs are left" if self._left else ""

    def _write(self, text: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text)
            self._process.stdin.flush()
        except (OSError, ValueError):
            raise CallFailed("connection to the node lost") from None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "left" in told:
                self._left = told["left"]
            elif answered := self._waiting.get(told["number"]):
                answered.set(told)
        for answered in list(self._waiting.values()):
            answered.set({"error": "connection to the node lost"})
