"""A small bed, and what is said of one with a few lines put over it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.bed import Bed, BedError, load

SMALL = Path(__file__).with_name("small.yaml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the small bed in it, and the one that paths are shown relative to."""
    shutil.copy(SMALL, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small_with(folder: Path) -> Callable[[str], Bed]:
    """The small bed with these lines put over it."""

    def put_over(lines: str) -> Bed:
        (folder / "bed.yaml").write_text(f"version: 1\nextends: small.yaml\n{lines}\n")
        return load("bed.yaml")

    return put_over


@pytest.fixture
def said_of(folder: Path) -> Callable[[str | bytes], list[str]]:
    """What is said of a whole bed file, one text a problem."""

    def problems(content: str | bytes) -> list[str]:
        (folder / "bed.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(BedError) as caught:
            load("bed.yaml")
        return str(caught.value).splitlines()

    return problems
