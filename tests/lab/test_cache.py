"""The cache gives an artefact whole or not at all."""

import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from lab import cache
from lab.errors import LabError


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("PLUMBLINE_CACHE", str(tmp_path))
    return tmp_path


def write(folder: Path) -> None:
    (folder / "program").write_text("whole")


def write_half_and_hang(folder: Path) -> None:
    (folder / "program").write_text("ha")
    (folder.parent.parent.parent / "begun").touch()
    time.sleep(60)


def publish_and_count(counter: str) -> None:
    def build(folder: Path) -> None:
        with Path(counter).open("a") as file:
            file.write("x")
        time.sleep(0.2)
        write(folder)

    cache.publish("tool", "key", build)


def test_an_artefact_is_built_once() -> None:
    first = cache.publish("tool", "key", write)
    second = cache.publish("tool", "key", lambda _: pytest.fail("was built again"))

    assert first == second == cache.cached("tool", "key")
    assert (second / "program").read_text() == "whole"


def test_two_runs_do_not_build_twice(place: Path) -> None:
    counter = place / "count"
    runs = [multiprocessing.Process(target=publish_and_count, args=(str(counter),)) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(20)

    assert counter.read_text() == "x"


def test_a_killed_build_is_not_taken_for_a_good_one(place: Path) -> None:
    run = multiprocessing.Process(target=cache.publish, args=("tool", "key", write_half_and_hang))
    run.start()
    deadline = time.monotonic() + 10
    while not (place / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(run.pid or 0, signal.SIGKILL)
    run.join(10)

    assert cache.cached("tool", "key") is None
    assert (cache.publish("tool", "key", write) / "program").read_text() == "whole"
    assert [path.name for path in (place / "artefacts/tool").iterdir()] == ["key"]


def test_a_failed_build_leaves_nothing(place: Path) -> None:
    def fail(folder: Path) -> None:
        write(folder)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.publish("tool", "key", fail)

    assert list((place / "artefacts/tool").iterdir()) == []


def test_a_truncated_file_is_built_again() -> None:
    folder = cache.publish("tool", "key", write)
    (folder / "program").write_text("who")

    assert cache.cached("tool", "key") is None
    assert (cache.publish("tool", "key", write) / "program").read_text() == "whole"


def test_a_full_disk_is_named_with_folder_and_bytes(place: Path) -> None:
    def fill(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LabError, match=rf"disk full: {place} has \d+ bytes free, 1000 bytes needed"):
        cache.publish("tool", "key", fill, needs=1000)
    assert cache.cached("tool", "key") is None


def test_a_disk_too_small_is_refused_before_the_build() -> None:
    with pytest.raises(LabError, match="disk full"):
        cache.publish("tool", "key", lambda _: pytest.fail("was built"), needs=10**18)


def test_the_key_follows_the_recipe() -> None:
    assert cache.digest({"a": 1, "b": (2,)}) == cache.digest({"b": [2], "a": 1})
    assert cache.digest({"a": 1}) != cache.digest({"a": 2})


def test_what_no_run_has_asked_for_lately_goes(place: Path) -> None:
    old, asked = (cache.publish(name, "key", write) for name in ("old", "asked"))
    for folder in (old, asked):
        os.utime(folder / ".plumbline.json", (1, 1))
    cache.cached("asked", "key")

    assert cache.prune() == ["old/key"]
    assert not old.exists()
    assert cache.cached("asked", "key") == asked


def test_what_another_run_holds_stays(place: Path) -> None:
    old = cache.publish("old", "key", write)
    os.utime(old / ".plumbline.json", (1, 1))

    with cache.locked("old-key"):
        assert cache.prune() == []
    assert cache.cached("old", "key") == old


def test_what_a_killed_build_left_goes_unless_it_goes_on(place: Path) -> None:
    dead, alive = (place / "artefacts/tool" / f"{key}.tmp-7" for key in ("dead", "alive"))
    for folder in (dead, alive):
        folder.mkdir(parents=True)

    with cache.locked("tool-alive"):
        cache.prune()
    assert (dead.exists(), alive.exists()) == (False, True)


def test_what_a_lab_has_run_on_for_weeks_is_used(place: Path) -> None:
    before, since = (cache.publish(name, "key", write) for name in ("before", "since"))
    for folder, asked in ((before, 999), (since, 1001)):
        os.utime(folder / ".plumbline.json", (asked, asked))

    cache.used_since(1000)

    assert cache.prune() == ["before/key"]
