"""Which faults run: all, those named, those of a layer, or the sample of a change."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from chaos.fault import Fault, load
from chaos.proof.changed import Changed, NoBase, changed, checks_in
from chaos.proof.select import NoSuch, select

FAULT = """
fault: {name}
stands_for: seed 000, chapter 13
summary: something is broken
layer: {layer}
subject: "node:ucs-2"
inject: [{{scratch.file: {{path: /tmp/x, text: x}}}}]
red: [{red}]
"""
SUITE = '''
@check("host.one", severity="major")
def test_one(facts):
    """One."""
    assert facts.one == 1


@check("host.two", severity="major")
def test_two(facts):
    assert facts.two == 2
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with three faults and two checks, and a main branch."""
    for name, layer, red in (("a", "host", "host.one"), ("b", "host", "host.two"), ("c", "network", "network.one")):
        write(tmp_path / "chaos" / "faults" / layer / f"{name}.yaml", FAULT.format(name=name, layer=layer, red=red))
    write(tmp_path / "suites" / "host" / "test_it.py", SUITE)
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "change")
    write(tmp_path / "README.md", "a change")
    commit(tmp_path)
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def git(folder: Path, *arguments: str) -> None:
    own = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *own, *arguments], check=True, capture_output=True, timeout=20)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a change")


def faults(project: Path) -> dict[str, Fault]:
    return {file.stem: load(file) for file in sorted((project / "chaos" / "faults").rglob("*.yaml"))}


def sampled(project: Path) -> list[str]:
    return [fault.fault for fault in select(faults(project), sample=changed(project, "main")).faults]


def test_a_sample_takes_the_quickest_fault_of_a_layer(project: Path) -> None:
    nothing = Changed("", frozenset(), frozenset(), frozenset())
    known = faults(project)
    known["a"] = known["a"].model_copy(update={"time_to_live": timedelta(seconds=300)})

    assert [fault.fault for fault in select(known, sample=nothing).faults] == ["b", "c"]


def test_everything_runs_unless_something_is_named(project: Path) -> None:
    everything = select(faults(project))

    assert len(everything.faults) == 3
    assert everything.said == ""
    assert "services" in everything.whole_layers


def test_a_layer_and_a_name(project: Path) -> None:
    of_layer = select(faults(project), layers=["host"])

    assert [fault.fault for fault in of_layer.faults] == ["a", "b"]
    assert of_layer.whole_layers == {"host"}
    assert [fault.fault for fault in select(faults(project), names=["c"]).faults] == ["c"]
    assert select(faults(project), names=["c"]).said == "--fault c"
    assert [fault.fault for fault in select(faults(project), without=["host"]).faults] == ["c"]


def test_a_name_that_nothing_has(project: Path) -> None:
    with pytest.raises(NoSuch, match="there is no fault aa"):
        select(faults(project), names=["aa"])
    with pytest.raises(NoSuch, match="did you mean host"):
        select(faults(project), layers=["hots"])


def test_the_sample_has_the_first_of_each_layer(project: Path) -> None:
    assert sampled(project) == ["a", "c"]


def test_a_fault_of_the_load_is_in_the_sample_only_where_it_is_touched(project: Path) -> None:
    slow = project / "chaos" / "faults" / "load" / "slow.yaml"
    write(slow, FAULT.format(name="slow", layer="load", red="load.rate"))
    nothing = Changed("", frozenset(), frozenset(), frozenset())

    assert [fault.fault for fault in select(faults(project), sample=nothing).faults] == ["a", "c"]
    commit(project)
    assert sampled(project) == ["a", "c", "slow"]


def test_a_sample_that_is_limited_keeps_one_of_each_layer_and_says_what_it_left(project: Path) -> None:
    write(project / "suites" / "host" / "cases.py", "X = 1\n")
    limited = select(faults(project), sample=changed(project, "main"), most=2)

    assert [fault.fault for fault in limited.faults] == ["a", "c"]
    assert limited.left_out == 1


def test_a_fault_that_is_not_what_it_was_is_in_the_sample(project: Path) -> None:
    file = project / "chaos" / "faults" / "host" / "b.yaml"
    file.write_text(file.read_text().replace("something is", "another thing is"))

    assert sampled(project) == ["a", "b", "c"]


def test_a_fault_whose_check_has_changed_is_in_the_sample_and_others_are_not(project: Path) -> None:
    write(project / "suites" / "host" / "test_it.py", SUITE.replace("facts.two == 2", "facts.two > 1"))
    commit(project)

    assert changed(project, "main").checks == {"host.two"}
    assert sampled(project) == ["a", "b", "c"]


def test_a_comment_is_no_change_of_a_check(project: Path) -> None:
    write(
        project / "suites" / "host" / "test_it.py",
        SUITE.replace("    assert facts.two", "    # why\n    assert facts.two"),
    )

    assert changed(project, "main").checks == frozenset()
    assert checks_in(SUITE).keys() == {"host.one", "host.two"}


def test_what_a_layer_s_checks_share_touches_all_of_them(project: Path) -> None:
    write(project / "suites" / "host" / "cases.py", "X = 1\n")

    assert changed(project, "main").layers == {"host"}
    assert sampled(project) == ["a", "b", "c"]


def test_on_the_main_branch_the_last_commit_counts(project: Path) -> None:
    git(project, "checkout", "-q", "main")
    write(project / "suites" / "host" / "test_it.py", SUITE.replace("== 2", "== 3"))
    commit(project)

    assert changed(project).checks == {"host.two"}


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(NoBase, match="merge-base"):
        changed(tmp_path)
