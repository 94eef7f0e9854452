"""The watchdog: a process of its own for each session, which undoes what the session put in when the runner cannot.

It is started before the first fault, sees the runner die (by whatever signal) or a fault outlive its time-to-live, and
undoes the session's entry of the ledger. It ends with the session, or once there is nothing left to undo.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chaos import lease, ledger
from chaos.ledger import Entry
from chaos.reach import Reach
from chaos.undo import undo
from plumbline import places
from plumbline.bed import Bed

READY_LIMIT = 20.0
"""Seconds within which a watchdog must be awake; without it nothing is injected."""
TRIES_FOR = 600.0
"""Seconds for which a watchdog goes on trying; then the entry stays, and the next command tells of it."""
_ROOT = Path(__file__).resolve().parents[1]
_PAUSE = 3.0


class NoWatchdog(Exception):
    """The watchdog did not wake up, so that nothing was injected."""


@dataclass(frozen=True)
class Watchdog:
    """A watchdog as its session sees it."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, bed: Bed, entry: Entry) -> Watchdog:
        """Starts a watchdog over this process; `await_ready` before anything is changed."""
        me = os.pidfd_open(os.getpid())
        command = [sys.executable, "-m", "chaos", "watch", "--bed", str(bed.path.resolve()), entry.id, str(me)]
        log = os.open(_log(entry), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = subprocess.Popen(
                command,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(me,),
                start_new_session=True,
            )
        finally:
            os.close(me)
            os.close(log)
        return cls(process)

    def await_ready(self) -> None:
        """Returns once the watchdog watches; NoWatchdog where it does not."""
        said = b""
        if self.process.stdout is not None and select.select([self.process.stdout], [], [], READY_LIMIT)[0]:
            said = self.process.stdout.readline()
        if said != b"ready\n":
            raise NoWatchdog(f"the watchdog did not wake up (exit code {self.process.poll()}); nothing was injected")

    def alive(self) -> bool:
        """Whether it still watches."""
        return self.process.poll() is None

    def arm(self, seconds: float) -> None:
        """From now on the fault may be in for so many seconds."""
        self._say(f"armed {seconds}\n")

    def end(self, entry: Entry) -> None:
        """The session is over: the watchdog ends at once, unless its entry is still there."""
        self._say("done\n")
        with suppress(OSError, subprocess.TimeoutExpired):  # one that is undoing right now is left to it
            self.process.communicate(timeout=5.0)
        if not ledger.exists(entry):
            _log(entry).unlink(missing_ok=True)

    def _say(self, line: str) -> None:
        if self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.write(line.encode())
                self.process.stdin.flush()


def watch(bed: Bed, id: str, runner: int) -> int:
    """The watchdog's own life; `runner` is a pidfd. Exit code 11 where it could not undo what is in the ledger."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    file = places.ledger(bed.bed) / f"{id}.json"
    with suppress(OSError):  # a runner that died meanwhile is what it is here for
        os.write(1, b"ready\n")
    if _runner_ends_well(runner) and not file.exists():
        return 0
    _say(f"undoing {id}")
    deadline = time.monotonic() + TRIES_FOR
    while file.exists() and time.monotonic() < deadline and not ledger.gone(bed):
        try:
            entry = ledger.read(bed, file)
            with Reach(bed) as reach:
                left = undo(bed, reach, entry)
            for one in left:
                _say(f"still in: {one}")
        except ledger.Refused as refused:
            _say(str(refused))
            if file.exists():
                return ledger.Refused.exit_code
        except Exception as error:  # a bed that cannot be reached now may be in a moment
            _say(f"{type(error).__name__}: {error}")
        if file.exists():
            time.sleep(_PAUSE)
    if file.exists():
        return ledger.Refused.exit_code
    with suppress(Exception):  # the bed is whole; a Lease that stays tells other machines to ask here
        if not ledger.gone(bed):
            with Reach(bed) as reach:
                lease.release(bed, reach, id)
    with suppress(OSError):
        (file.parent / f"{id}.log").unlink()
    return 0


def _runner_ends_well(runner: int) -> bool:
    """Waits for the session's word, its death, or the time-to-live; True where it says that it is done."""
    deadline: float | None = None
    heard = b""
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([0, runner], [], [], left)
        if 0 in ready:
            told = os.read(0, 4096)
            heard += told
            while b"\n" in heard:
                line, _, heard = heard.partition(b"\n")
                if line == b"done":
                    return True
                if line.startswith(b"armed "):
                    deadline = time.monotonic() + float(line.split()[1])
            if not told:  # the other end is closed, which a session never does before it is done
                return False
        elif runner in ready or not ready:
            return False


def _log(entry: Entry) -> Path:
    folder = places.ledger(entry.bed)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{entry.id}.log"


def _say(line: str) -> None:
    with suppress(OSError):  # a full disk must not keep it from its work
        os.write(2, f"{time.strftime('%H:%M:%S')} {line}\n".encode())
