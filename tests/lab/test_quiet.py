"""The lab is up when the machine has caught up with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.quiet import wait_quiet


def told(folder: Path, waited: float) -> None:
    """What the kernel says of so many seconds of waiting."""
    for kind in ("cpu", "io"):
        part = folder / f".{kind}"
        part.write_text(f"some avg10=0.00 avg60=0.00 avg300=0.00 total={int(waited * 1e6)}\nfull total=0\n")
        part.rename(folder / kind)


@contextmanager
def busy(folder: Path, seconds: float) -> Iterator[None]:
    """A machine on which something waits without pause for that long."""
    began, stop = time.monotonic(), threading.Event()

    def wait() -> None:
        while not stop.wait(0.05):
            told(folder, min(seconds, time.monotonic() - began))

    told(folder, 0)
    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_quiet_machine_is_not_waited_for(tmp_path: Path) -> None:
    told(tmp_path, 100)

    assert wait_quiet(print, limit=2, pressure=tmp_path)


def test_a_machine_that_is_behind_is_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    with busy(tmp_path, 1.6):
        assert wait_quiet(said.append, limit=10, pressure=tmp_path)

    assert said
    assert "cpu" in said[0]
    assert "io" in said[0]


def test_a_machine_that_stays_behind_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    with busy(tmp_path, 60):
        assert not wait_quiet(print, limit=1, pressure=tmp_path)


def test_a_kernel_that_measures_nothing_is_taken_for_quiet(tmp_path: Path) -> None:
    assert wait_quiet(print, limit=2, pressure=tmp_path)
