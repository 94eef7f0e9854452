"""Jobs of a load: submitted by the program of a node, which here is this machine with programs in Slurm's place."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from locustfiles.failed import CallFailed
from locustfiles.slurm_session import SlurmSession
from plumbline.bed import load
from plumbline.collect import slurm_jobs
from plumbline.collect.ssh import Login

ROOT = Path(__file__).parents[2]
SUBMITS = 'mkdir -p $0.d; printf "%s\\n" "$@" > $0.d/$$; echo "$$;lab"'
"""Each job is a file beside the program."""
LISTS = "ls $(dirname $0)/sbatch.d 2>/dev/null || true"
CANCELS = "rm -rf $(dirname $0)/sbatch.d"
Open = Callable[..., SlurmSession]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a shell script in the place of one of Slurm's programs."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def put(name: str, text: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    for name, text in (("sbatch", SUBMITS), ("squeue", LISTS), ("scancel", CANCELS)):
        put(name, text)
    return put


@pytest.fixture
def opened(programs: object) -> SlurmSession:
    """A session of three users, whose node is this machine."""
    slurm = load(ROOT / "inventories" / "lab.yaml").slurm
    assert slurm
    request = {**slurm_jobs.submitting(slurm, 3), "user": pwd.getpwuid(os.geteuid()).pw_name}
    here = SimpleNamespace(command=lambda login, python: ["sh", "-c", f"exec {python}"])
    return SlurmSession(cast(Any, here), Login("here", "here"), request, 30)


def jobs(folder: Path) -> list[str]:
    return [file.read_text() for file in (folder / "sbatch.d").glob("*")]


def test_jobs_have_ids_and_are_gone_at_the_end(opened: SlurmSession, tmp_path: Path) -> None:
    ids = {opened.submit(5) for _ in range(3)}

    assert len(ids) == len(jobs(tmp_path)) == 3
    assert "--job-name=plumbline-load" in jobs(tmp_path)[0]
    assert opened.end() == ""
    assert jobs(tmp_path) == []


def test_users_do_not_wait_for_each_other(opened: SlurmSession, programs: Callable[[str, str], None]) -> None:
    programs("sbatch", "sleep 0.5; echo 7")
    opened_at = time.monotonic()
    gevent.joinall([gevent.spawn(opened.submit, 5) for _ in range(3)])

    assert time.monotonic() - opened_at < 1.4
    assert opened.end() == ""


def test_what_sbatch_says_is_the_class_of_failure(opened: SlurmSession, programs: Callable[[str, str], None]) -> None:
    programs("sbatch", "echo 'sbatch: error: Batch job submission failed: Socket timed out' >&2; exit 1")
    with pytest.raises(CallFailed, match=r"^Socket timed out$"):
        opened.submit(5)
    programs("sbatch", "exec sleep 2")
    with pytest.raises(CallFailed, match=r"^timeout: no answer$"):
        opened.submit(0.3)

    assert opened.end() == ""


def test_it_says_when_it_does_not_know_that_jobs_are_gone(opened: SlurmSession) -> None:
    opened.submit(5)
    opened._process.kill()
    opened._process.wait()
    gevent.sleep(0.1)

    assert opened.lost
    with pytest.raises(CallFailed, match="connection to the node lost"):
        opened.submit(5)
    assert "did not say that its jobs are gone" in opened.end()


def test_its_own_end_clears_away_when_nobody_listens(opened: SlurmSession, tmp_path: Path) -> None:
    opened.submit(5)
    opened._process.stdin.close()
    opened._reading.join(timeout=5)

    assert jobs(tmp_path) == []
