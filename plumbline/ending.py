"""The end of a process that makes load: asked for once, waited for, and brought about where it does not come."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import Any


def end(process: subprocess.Popen[Any], patience: float) -> None:
    """Interrupts it as Ctrl-C does, and kills it and its group after so many seconds; nothing where it has ended.

    It leads a session of its own: so a terminal's Ctrl-C reaches it once, by this, and not a second time by itself. Who is
    impatient waits, too: a killed process leaves behind what it has made. For the main thread.
    """
    if process.poll() is not None:
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=patience)
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        signal.signal(signal.SIGINT, before)
