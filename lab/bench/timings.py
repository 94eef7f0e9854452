"""A pytest plugin (`-p lab.bench.timings`) that writes down how long each phase of a run takes.

It is the bench's and nobody else's. `$PLUMBLINE_BENCH` is JSON: where to write, when the process was started
(`time.monotonic()`, which all processes of a machine share), and the bed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from plumbline import places

VARIABLE = "PLUMBLINE_BENCH"
_order: dict[str, Any] = json.loads(os.environ.get(VARIABLE, "{}"))
_phases: dict[str, float] = {}
_facts: dict[str, float] = {}
_last = [_order.get("started", time.monotonic())]


def _ends(phase: str) -> None:
    now = time.monotonic()
    _phases[phase] = _phases.get(phase, 0.0) + now - _last[0]
    _last[0] = now


_ends("interpreter and pytest")


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Plugins and fixtures are imported."""
    _ends("plugins")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionstart() -> Generator[None, None, None]:
    """The bed is made ready."""
    _ends("plugins")
    yield
    _ends("readying the bed")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Checks are collected, while facts come in."""
    _ends("readying the bed")
    result = yield
    _ends("collection")
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop() -> Generator[None, object, object]:
    """Checks are run; whoever needs a fact that is not there yet waits for it."""
    _ends("collection")
    result = yield
    _ends("checks, waiting for facts included")
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish() -> Generator[None, None, None]:
    """The verdict and the reports are written; the facts of the run are still there before that."""
    _ends("checks, waiting for facts included")
    if bed := _order.get("bed"):
        folder = places.runtime(bed) / "runs" / str(os.getpid()) / "facts"
        for file in sorted(folder.rglob("*.json")):
            with suppress(OSError, ValueError, KeyError, TypeError):
                source = str(file.relative_to(folder).with_suffix(""))
                _facts[source] = float(json.loads(file.read_text(encoding="utf-8"))["seconds"])
    yield
    _ends("verdict and reports")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The last that is seen of a run; the interpreter's end comes after it."""
    _ends("verdict and reports")
    if "file" in _order and not hasattr(config, "workerinput"):
        Path(_order["file"]).write_text(json.dumps({"phases": _phases, "facts": _facts}), encoding="utf-8")
