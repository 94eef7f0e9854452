"""The lab's own programs that run in pods: what they make of what they read."""

from __future__ import annotations

import importlib.util
import io
import socket
import tarfile
import threading
import types
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parents[2] / "lab/workloads/programs"


def _load(name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(f"pod_{name}", PROGRAMS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_setting_is_brought_to_what_is_wanted(tmp_path: Path) -> None:
    tuning = _load("tuning")
    state: dict[str, dict[str, str]] = {"applied": {}, "wrong": {}, "not here": {}}
    present, choice = tmp_path / "present", tmp_path / "choice"
    present.write_text("1\n")
    choice.write_text("always [never] madvise\n")

    tuning.settle("present", present, "0", state)
    tuning.settle("choice", choice, "never", state)
    tuning.settle("absent", tmp_path / "absent", "1", state)

    assert state["applied"] == {"present": "0", "choice": "never"}
    assert set(state["not here"]) == {"absent"}
    assert state["wrong"] == {}


def test_an_archive_of_the_cloner_is_unpacked_by_the_reader(tmp_path: Path) -> None:
    packed = _load("cloner").pack({"index.html": b"<p>", "a/b.css": b"x"})

    _load("nfs_reader").unpack(packed, tmp_path / "site")

    assert (tmp_path / "site/index.html").read_bytes() == b"<p>"
    assert (tmp_path / "site/a/b.css").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "link"])
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(member, io.BytesIO())

    with pytest.raises(OSError, match="no plain file"):
        _load("nfs_reader").unpack(archive.getvalue(), tmp_path / "site")
    assert not (tmp_path / "outside").exists()


def test_the_same_site_gives_the_same_archive() -> None:
    cloner = _load("cloner")

    assert cloner.pack({"a": b"1", "b": b"2"}) == cloner.pack({"b": b"2", "a": b"1"})


def test_the_cloner_reads_an_answer_of_a_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    cloner = _load("cloner")
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver.bind(("127.0.0.1", 0))

    def answer() -> None:
        question, asker = resolver.recvfrom(1500)
        alias = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\2\xc0\x0c"
        address = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([203, 0, 113, 9])
        resolver.sendto(question[:2] + b"\x81\x80\0\1\0\2\0\0\0\0" + question[12:] + alias + address, asker)

    class Unbound(socket.socket):
        """A socket that can be used without the interface of the pod."""

        def setsockopt(self, *args: Any) -> None:
            pass

        def sendto(self, data: bytes, *args: Any) -> int:  # type: ignore[override]
            return super().sendto(data, resolver.getsockname())

    monkeypatch.setattr(cloner.socket, "socket", Unbound)
    threading.Thread(target=answer, daemon=True).start()

    assert cloner.look_up("example.com", "127.0.0.1") == "203.0.113.9"
    resolver.close()


@pytest.fixture
def reloader(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The program, on a cluster of one object and the workloads that depend on it; `restarted` is what it did."""
    program: Any = _load("reloader")
    program.contents, program.workloads, program.restarted = "a", {("shop", "settings"): ["/web"]}, []
    monkeypatch.setattr(program, "digest", lambda *_: program.contents)
    monkeypatch.setattr(program, "dependents", lambda _: program.workloads)
    monkeypatch.setattr(program, "restart", lambda path, why: program.restarted.append((path, why)))
    return program


def _settings(version: int) -> dict[str, str]:
    return {"namespace": "shop", "name": "settings", "resourceVersion": str(version)}


def test_a_restart_follows_a_change_and_nothing_else(reloader: Any) -> None:
    known: dict[tuple[str, str], tuple[str, str]] = {}

    for version, reloader.contents in enumerate("aab"):
        reloader.changed("configmap", _settings(version), known)
        reloader.changed("configmap", {**_settings(version), "name": "other"}, known)

    assert reloader.restarted == [("/web", "configmap settings")]


def test_a_workload_that_comes_after_its_secret_is_restarted_by_the_first_change(reloader: Any) -> None:
    known: dict[tuple[str, str], tuple[str, str]] = {}
    of_secret, reloader.workloads = reloader.workloads, {}
    reloader.changed("secret", _settings(1), known)

    reloader.workloads, reloader.contents = of_secret, "b"
    reloader.changed("secret", _settings(2), known)

    assert reloader.restarted == [("/web", "secret settings")]


def test_a_secret_that_is_gone_again_is_no_error_and_one_that_is_listed_again_is_not_read(reloader: Any) -> None:
    known: dict[tuple[str, str], tuple[str, str]] = {}
    reloader.changed("secret", _settings(1), known)

    def gone(*_: str) -> str:
        raise reloader.MissingError("404")

    reloader.digest = gone
    reloader.changed("secret", {**_settings(1), "name": "for-a-moment"}, known)

    assert known == {("shop", "settings"): ("1", "a")}
    reloader.digest = lambda *_: pytest.fail("was read again")
    reloader.changed("secret", _settings(1), known)
