"""Experiment files and plans: those that are there, and what is said of wrong ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chaos import declared, guard
from chaos.call import Call
from chaos.choose import Lacks, chosen
from chaos.gameday import plan
from chaos.session import NotAllowed
from plumbline.bed import Bed, BedError, load
from tests.chaos.reaches import Local
from tests.chaos.scratch import ROOT, Scratch

SMALL = ROOT / "tests" / "lab" / "beds" / "gameday.yaml"
KILLED = declared.EXPERIMENTS / "persona-pod-killed.yaml"


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(SMALL)


@pytest.fixture(scope="module")
def lab() -> Bed:
    return load(ROOT / "inventories" / "lab.yaml")


@pytest.mark.parametrize("file", declared.files(), ids=lambda file: file.stem)
def test_every_experiment_is_for_the_lab(file: Path, lab: Bed) -> None:
    experiment = declared.load(file, lab)

    assert experiment.steps
    assert experiment.left_out == ()


def of_services() -> set[str]:
    """Experiments on what the small bed has not."""
    lacking = ("consul", "vault", "slurm", "step-ca", "compute", "nfs")
    return {file.stem for file in declared.files() if file.stem.startswith(lacking)}


@pytest.mark.parametrize("name", sorted({file.stem for file in declared.files()} - of_services()))
def test_experiments_on_any_cluster_are_for_a_small_bed_too(name: str, bed: Bed) -> None:
    assert declared.load(declared.find(name), bed).steps


@pytest.mark.parametrize("name", sorted(of_services()))
def test_an_experiment_on_what_a_bed_lacks_says_so(name: str, bed: Bed) -> None:
    with pytest.raises(Lacks, match=r"the bed gameday (has|declares) no"):
        declared.load(declared.find(name), bed)


@pytest.mark.parametrize("file", declared.files(), ids=lambda file: file.stem)
def test_every_experiment_is_valid_for_the_toolkit(file: Path) -> None:
    import yaml
    from chaoslib.experiment import ensure_experiment_is_valid

    told = yaml.safe_load(file.read_text())

    ensure_experiment_is_valid(told)
    assert told["runtime"]["rollbacks"]["strategy"] == "always"


def test_the_toolkit_discovers_the_extension(tmp_path: Path) -> None:
    out = tmp_path / "discovery.json"
    command = [
        sys.executable,
        "-m",
        "chaostoolkit",
        "--no-version-check",
        "--log-file",
        str(tmp_path / "log"),
        "discover",
    ]
    subprocess.run([*command, "--no-install", "--discovery-path", str(out), "chaos"], cwd=ROOT, check=True, timeout=60)

    assert {"inject", "undo", "record", "gate", "whole"} <= {
        each["name"] for each in json.loads(out.read_text())["activities"]
    }


def test_words_choose_things_of_the_bed(bed: Bed) -> None:
    told = {"a": ["$(agent)", "$(agent:2) on $(agent-node:2)"], "b": "$(persona-workload:2)@$(agent-network)", "c": 1}

    assert chosen(bed, told) == {"a": ["buyer", "clerk on west"], "b": "booth@buyers", "c": 1}
    assert chosen(bed, "$(address:wall@buyers)") == "$(address:wall@buyers)"


@pytest.mark.parametrize("word", ["$(persona:3)", "$(agent:9)", "$(persona:0)", "$(program:none)"])
def test_what_the_bed_lacks_is_told(bed: Bed, word: str) -> None:
    with pytest.raises(Lacks, match="the experiment is about"):
        chosen(bed, word)


def test_an_optional_record_is_left_out_where_the_bed_lacks_it(bed: Bed, tmp_path: Path) -> None:
    file = tmp_path / KILLED.name
    file.write_text(KILLED.read_text().replace("$(persona:2)", "$(persona:7)"))

    experiment = declared.load(file, bed)

    assert experiment.left_out == ("others",)
    assert experiment.declared.unaffected == ("objects",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "experiment: persona-pod-killed",
            "experiment: another",
            r":\d+:\d+: .*persona-pod-killed, as the file is called",
        ),
        ("client: kubernetes", "client: kubernets", r"records\.objects\.client.*did you mean kubernetes"),
        ("mend: pod_replaced, steady", "mend: pod_replacd, steady", "no budget pod_replacd.*did you mean pod_replaced"),
        ("unaffected: [others, objects]", "unaffected: [others, object]", "no record object.*did you mean objects"),
        ("kubernetes.kill: {workload", "kubernetes.kil: {workload", "method.*did you mean kubernetes.kill"),
        ("with: {from: $(agent), to: $(persona)}", "with: {form: $(agent), to: $(persona)}", r"records\.asked\.with"),
        ("whole: [kubernetes.pods:", "whole: [kubernetes.pods: {}, x:", "watch.whole"),
        ("unaffected: [others, objects]", "unaffected:", r"unaffected"),
        ("module: chaos.extension.controls", "module: chaos.extension.control", "controls, which undoes at the end"),
        ("func: inject", "func: injekt", r"injekt"),
        ("time_to_live: 180s", "time_to_live: long", r":46:\d+: method.time_to_live: .*found long"),
    ],
)
def test_a_wrong_experiment_is_told_with_its_place(bed: Bed, tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / KILLED.name
    text = KILLED.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))

    with pytest.raises(BedError, match=said):
        declared.load(file, bed)


def test_a_fault_that_is_undone_at_once_is_told(bed: Bed, tmp_path: Path) -> None:
    lost = declared.EXPERIMENTS / "packets-lost.yaml"
    file = tmp_path / lost.name
    file.write_text(lost.read_text().replace("    pauses: {after: 20}\n", ""))

    with pytest.raises(BedError, match="nothing between the fault and its undo"):
        declared.load(file, bed)


def test_the_guard_refuses_what_cuts_the_runners_own_way(bed: Bed) -> None:
    experiment = declared.load(KILLED, bed)
    with Local(bed, {}) as reach:
        for node, refused in (("front", True), ("west", False)):
            cut = Call("switch.port", {"node": node, "network": "oobi"})
            if refused:
                with pytest.raises(NotAllowed, match="the runner's own way to front, which has the API server"):
                    guard.refuse(bed, reach, experiment.declared, [cut])
            else:
                guard.refuse(bed, reach, experiment.declared, [cut])


def test_the_guard_refuses_a_bed_that_does_not_allow_it(scratch: Scratch, bed: Bed) -> None:
    with Local(bed, {}) as reach, pytest.raises(NotAllowed, match="does not allow faults"):
        guard.refuse(scratch.bed(allowed=False), reach, declared.load(KILLED, bed).declared, [])


def test_a_run_on_such_a_bed_ends_with_2(scratch: Scratch) -> None:
    scratch.bed(allowed=False)

    run = scratch.chaos("run", "persona-pod-killed")

    assert run.returncode == 2
    assert "does not allow faults" in run.stderr


def test_plans_that_are_there_can_be_read(bed: Bed) -> None:
    for file in (ROOT / "chaos" / "gamedays").glob("*.yaml"):
        told, ready = plan.load(file, bed)
        assert [each.experiment.name for each in ready] == [item.experiment for item in told.experiments]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "gameday: g\ntitle: a day\nexperiments: [{experiment: persona-pod-kiled, owner: me, expect: nothing much}]",
            ":3:.*did you mean",
        ),
        ("gameday: g\ntitle: a day\nexperiments: [{experiment: persona-pod-killed, owner: me}]", ":3:.*expect"),
        ("gameday: g\ntitle: a day\nexperiments: []\nwhom: me", ":4:1"),
    ],
)
def test_a_wrong_plan_is_told_with_its_place(bed: Bed, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text)

    with pytest.raises(BedError, match=said):
        plan.load(file, bed)
