"""The lab's own podman: it neither sees nor is seen by the user's, and all that it keeps lies in the bed's folders."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lab import command
from lab.errors import LabError
from lab.places import run_dir, state_dir


def home(bed: str) -> Path:
    """Folder of its settings and of its storage."""
    return state_dir(bed) / "podman"


def configure(bed: str) -> None:
    """Write its settings for this bed."""
    runtime = run_dir(bed) / "podman"
    home(bed).mkdir(exist_ok=True, mode=0o700)
    (home(bed) / "containers.conf").write_text(
        '[containers]\noom_score_adj = 0\nlog_driver = "none"\n\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nlock_type = "file"\n'
    )
    (home(bed) / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{runtime / "run"}"\ngraphroot = "{home(bed) / "storage"}"\n'
    )


def call(bed: str, *argv: str, timeout: float = 30, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one of its commands; `timeout` in seconds. Raises `LabError` when it fails, with `check`."""
    runtime = run_dir(bed) / "podman"
    places = ["--root", str(home(bed) / "storage"), "--runroot", str(runtime / "run"), "--tmpdir", str(runtime / "tmp")]
    settings = {
        "CONTAINERS_CONF": str(home(bed) / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(home(bed) / "storage.conf"),
    }
    whole = ["podman", *places, "--storage-driver", "vfs", "--runtime", "runc", *argv]
    return command.call(whole, timeout=timeout, check=check, env=settings)


def end_strays(bed: str, deadline: float) -> None:
    """Wait for every podman of this bed whose caller was killed, and end those that still run after the deadline.

    `deadline` as of `time.monotonic()`.
    """
    while strays := list(_strays(bed)):
        if time.monotonic() > deadline:
            for pid in strays:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def forget_containers(bed: str) -> None:
    """Take from runc the containers of this bed that no podman knows any more."""
    storage = os.fsencode(home(bed) / "storage")
    for state in Path("/run/runc").glob("*/state.json"):
        with suppress(OSError, LabError):
            if storage in state.read_bytes():
                command.call(["runc", "delete", "--force", state.parent.name], check=False)


def _strays(bed: str) -> Iterator[int]:
    storage = os.fsencode(home(bed) / "storage")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            argv = (process / "cmdline").read_bytes().split(b"\0")
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if os.path.basename(argv[0]) == b"podman" and storage in argv and parent != os.getpid():
                yield int(process.name)
