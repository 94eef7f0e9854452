"""`python -m chaos.history`: the recorder, a process of its own. Its first line of input says what to record.

It ends when its input ends or says `end`, and so with the one who started it; and when its time is over.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from chaos.history.client import FINAL_LIMIT, Client, Talk, find
from chaos.history.model import Operation, line
from chaos.reach import Reach
from plumbline.bed import load

_SYNC = 1.0
_LAST = FINAL_LIMIT + 20.0
"""Seconds in which clients must have ended after it is over: they read what is there, and take away what they made."""


class _File:
    """The history; what is written is safe from the end of this process at once, and from that of the machine soon."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")
        self._lock = threading.Lock()
        self._synced = 0.0

    def tell(self, operation: Operation) -> None:
        with self._lock:
            self._file.write(line(operation).encode())
            self._file.flush()
            if time.monotonic() - self._synced >= _SYNC:
                self.sync()

    def sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()


def main() -> int:
    """Records until it is over; 1 where a client could not begin or failed."""
    parser = argparse.ArgumentParser(prog="python -m chaos.history", description=__doc__)
    parser.add_argument("--bed", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=600.0, help="the longest time to record")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    over, failed = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    wanted = json.loads(sys.stdin.buffer.readline())
    bed, file = load(options.bed), _File(options.out)
    waiting, lock = set(wanted), threading.Lock()

    def ready(name: str) -> None:
        with lock:
            waiting.discard(name)
            if not waiting:
                _say("ready")

    def run(name: str, client: Client, rate: float) -> None:
        try:
            with Reach(bed) as reach:
                client.run(Talk(name, bed, reach, rate, over, file.tell, lambda: ready(name)))
        except Exception:
            traceback.print_exc()
            failed.set()
            over.set()

    threads = [
        threading.Thread(
            target=run,
            args=(name, find(told["client"]).model_validate(told["with"]), told["rate"]),
            name=name,
            daemon=True,
        )
        for name, told in wanted.items()
    ]
    for thread in threads:
        thread.start()
    _await_end(over, time.monotonic() + options.seconds)
    over.set()
    deadline = time.monotonic() + _LAST
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    file.sync()
    return 1 if failed.is_set() or any(thread.is_alive() for thread in threads) else 0


def _await_end(over: threading.Event, deadline: float) -> None:
    while not over.is_set() and time.monotonic() < deadline:
        if select.select([0], [], [], 0.2)[0] and os.read(0, 4096) in (b"", b"end\n"):
            return


def _say(word: str) -> None:
    try:
        os.write(1, f"{word}\n".encode())
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())
