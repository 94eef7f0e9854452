"""Load ends with whoever drives it: interrupted once, given its time, and killed after it."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from locustfiles import __main__ as by_hand
from plumbline.bed import load
from plumbline.ending import end
from plumbline.outcome import BedUnreachable
from suites.load.conftest import _run

LAB = Path(__file__).parents[2] / "inventories" / "lab.yaml"
TELLS = """
import pathlib, signal, sys, time
def told(*_):
    with open("told", "a") as file: file.write("once ")
    time.sleep(0.3)
    sys.exit(0)
signal.signal(signal.SIGINT, told)
pathlib.Path("begun").touch()
time.sleep(60)
"""
DEAF = "import pathlib, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); pathlib.Path('begun').touch(); time.sleep(60)"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where those who are ended say so."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begun(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while not (folder / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("script", "code"), [(TELLS, 0), (DEAF, -signal.SIGKILL)])
def test_it_is_interrupted_once_and_killed_after_its_time(folder: Path, script: str, code: int) -> None:
    with subprocess.Popen([sys.executable, "-c", script], start_new_session=True) as process:
        begun(folder)
        end(process, 20.0 if code == 0 else 0.3)
        end(process, 0.0)

    assert process.returncode == code
    assert code != 0 or (folder / "told").read_text() == "once "


def test_who_is_impatient_waits_for_the_end(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", TELLS], start_new_session=True) as process:
        begun(folder)
        again = f"import os, signal, time; time.sleep(0.1); os.kill({os.getpid()}, signal.SIGINT)"
        with subprocess.Popen([sys.executable, "-c", again]):
            end(process, 20.0)

    assert process.returncode == 0


def test_a_run_that_does_not_end_is_interrupted(folder: Path) -> None:
    assert _run([sys.executable, "-c", TELLS], folder, 2.0, 20.0) == "the run did not end"
    assert (folder / "told").read_text() == "once "


def test_an_interrupted_gate_ends_its_load(folder: Path) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 2.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            _run([sys.executable, "-c", TELLS], folder, 60.0, 20.0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert (folder / "told").read_text() == "once "


@pytest.mark.parametrize("how", [None, KeyboardInterrupt, BedUnreachable("gone")])
def test_an_attack_ends_with_what_it_is_beside(folder: Path, monkeypatch: pytest.MonkeyPatch, how: Any) -> None:
    stand_in = folder / "python"
    stand_in.write_text(f"#!{sys.executable}\n{TELLS}")
    stand_in.chmod(0o755)
    monkeypatch.setattr(by_hand.sys, "executable", str(stand_in))
    monkeypatch.setattr(by_hand, "BEGINS", 0.0)
    options = argparse.Namespace(report_dir=folder, bed=LAB, during_netns="", ca=None)

    with suppress(KeyboardInterrupt, BedUnreachable), by_hand._beside(load(LAB), options, "webui-flood") as attack:
        begun(folder)
        attack.wanted = False
        if how:
            raise how

    assert (folder / "told").read_text() == "once "
