"""A tiny project for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline import places
from tests.gate.tiny import ROOT, Tiny


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Tiny]:
    """A bed of two nodes and two VLANs, and the gate's own configuration."""
    project = Tiny(tmp_path, f"tiny-{os.getpid()}")
    project.bed()
    for file in ("conftest.py", "pyproject.toml"):
        project.write(file, (ROOT / file).read_text(encoding="utf-8"))
    yield project
    assert not places.runtime(project.name).exists()
    assert not places.hold_file(project.name).exists()
