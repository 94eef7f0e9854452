"""`pytest suites/load --load`: what is collected, what is refused, and what becomes of what was measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.bed import load
from plumbline.load.result import Result
from plumbline.load.verdict import Judged
from plumbline.outcome import Unknown
from suites.load import cases
from suites.load.conftest import Runs, settle
from tests.load.measured import result

ROOT = Path(__file__).parents[2]
LAB = ROOT / "inventories" / "lab.yaml"
KEPT = Judged("rate", "passed", "12 a second", "at least 10 a second")
BROKEN = Judged("rate", "failed", "8 a second", "at least 10 a second")
UNKNOWN = Judged("rate", "unknown", "generator saturated: it used 99 %", "at least 10 a second")


def collected(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "suites/load", "--collect-only", "-q", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_each_target_is_a_test_of_each_promise_and_only_with_load() -> None:
    bed = load(LAB)
    assert bed.load

    assert collected("--load").stdout.count("test_next_to_nothing_fails[") == len(bed.load.targets)
    assert "no tests collected" in collected().stdout


def test_targets_may_be_named_and_a_wrong_name_is_told() -> None:
    chosen = collected("--load", "--load-target", "inspected-new")
    wrong = collected("--load", "--load-target", "inspected")

    assert chosen.stdout.count("[inspected-new]") == 3
    assert "inspected-kept]" not in chosen.stdout
    assert wrong.returncode == 4
    assert "--load-target inspected: inventories/lab.yaml has inspected-kept, " in wrong.stderr + wrong.stdout


def test_a_target_stands_on_the_flows_that_it_takes() -> None:
    case = cases.targets(load(LAB))[0]

    assert case.subject == "load:inspected-kept"
    assert {"workload:k6-agent", "flow:k6-agent>persona-1", "vlan:persona-20"} <= set(case.needs)
    assert "inventories/lab.yaml:" in case.declared


def test_a_target_of_a_service_stands_on_its_pods_and_on_the_names_of_services() -> None:
    case = next(one for one in cases.targets(load(LAB)) if one.subject == "load:east-west")

    assert {"workload:k6-agent", "workload:server-agent", "service:dns"} <= set(case.needs)


def test_a_target_of_consul_stands_on_its_servers() -> None:
    case = next(one for one in cases.targets(load(LAB)) if one.subject == "load:consul-keys")

    assert {"consul:leader", "consul-agent:bettley", "service-certificate:dalt/consul"} <= set(case.needs)


@pytest.mark.parametrize(
    ("target", "under"),
    [
        ("vault-keys", {"vault-right:secret/data/plumbline/load/*", "vault-forward:dalt", "vault-seal:bettley"}),
        ("cluster-names", {"service:dns", "workload:k6-agent"}),
        ("slurm-submits", {"slurm:cluster", "slurm-job:single"}),
        ("direct-kept", {"workload:bad-origin", "persona:persona-20", "workload:persona-20"}),
    ],
)
def test_what_targets_of_the_control_plane_and_past_the_firewall_stand_on(target: str, under: set[str]) -> None:
    case = next(one for one in cases.targets(load(LAB)) if one.subject == f"load:{target}")

    assert under <= set(case.needs)
    assert target != "direct-kept" or "ngfw:ngfw" not in case.needs


def test_only_a_target_that_is_measured_beside_another_has_a_ratio() -> None:
    assert [one.id for one in cases.compared(load(LAB))] == ["inspected-beside"]


@pytest.mark.parametrize(("beside", "outcome"), [(result([900] * 4), "passed"), ("the run did not end", "unknown")])
def test_a_ratio_is_to_the_run_of_the_other_target(beside: Result | str, outcome: str) -> None:
    runs, target = Runs.__new__(Runs), cases.compared(load(LAB))[0].value
    runs._bed, runs._ended = load(LAB), {"inspected-beside": result([500] * 4), "direct-kept": beside}

    (judged,) = runs.ratios(target)

    assert judged.outcome == outcome
    assert judged.found.startswith("55.6 %" if outcome == "passed" else "direct-kept: the run did not end")


def test_a_target_of_kubernetes_stands_on_the_api() -> None:
    case = next(one for one in cases.targets(load(LAB)) if one.subject == "load:attachments-10-100-500")

    assert {"kubernetes:api", "node:ucs-1"} <= set(case.needs)


def test_an_attack_is_turned_away_and_not_borne() -> None:
    targets, borne = ({one.id for one in some(load(LAB))} for some in (cases.targets, cases.borne))

    assert targets - borne == {"webui-flood", "webui-kept-flood"}


def test_a_broken_promise_fails_before_an_unknown_one_is_unknown() -> None:
    settle("kept", [KEPT, KEPT])
    with pytest.raises(AssertionError, match="8 a second"):
        settle("kept", [KEPT, UNKNOWN, BROKEN])
    with pytest.raises(Unknown, match="generator saturated") as caught:
        settle("kept", [KEPT, UNKNOWN])

    assert caught.value.cause == "run:generator"


def test_times_of_a_load_that_got_no_answer_follow_from_that() -> None:
    with pytest.raises(Unknown) as caught:
        settle("kept", [Judged("whole request", "unknown", "nothing was measured", "p50 within 2 s")])

    assert caught.value.cause == "load:kept"


@pytest.mark.parametrize(
    ("bed", "target", "said"),
    [
        ("lab", "inspected", "inventories/lab.yaml has no load target inspected; there are: inspected-kept"),
        ("tlsstress", "inspected-kept", "this bed does not allow load (inventories/tlsstress.yaml:"),
    ],
)
def test_by_hand_it_refuses_what_is_not_declared_or_not_allowed(bed: str, target: str, said: str) -> None:
    command = [sys.executable, "-m", "locustfiles", target, "--bed", f"inventories/{bed}.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert said in done.stderr
