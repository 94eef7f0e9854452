"""Side by side or not, the answer is the same, and a worker that dies takes no verdict with it."""

from __future__ import annotations

import pytest

from tests.gate.tiny import Tiny

MIXED = """
@check('host.it', **ABOUT)
@for_each('node', nodes)
def test_it(node): assert node != 'ucs-1', found('is down', expected='up')

@check('network.it', **{**ABOUT, 'kind': 'active'})
@for_each('vlan', vlans)
def test_vlan(vlan):
    if vlan == 'k6':
        raise Unknown('no answer', cause='node:ucs-1')
"""
KILLED = """
@check('host.killed', **ABOUT)
def test_killed(): os.kill(os.getpid(), signal.SIGKILL)

@check('host.other', **ABOUT)
@for_each('node', nodes)
def test_other(node): pass
"""


def test_two_workers_find_what_one_process_finds(tiny: Tiny) -> None:
    tiny.suite(MIXED)

    alone, together = tiny.run("-n0").report, tiny.run("-n2").report

    for report in (alone, together):
        for check in report["checks"]:
            del check["seconds"]
    for part in ("verdict", "counts", "layers", "findings", "checks"):
        assert alone[part] == together[part]


def test_a_killed_worker_leaves_unknowns_and_the_rest_is_still_checked(tiny: Tiny) -> None:
    tiny.suite(KILLED)

    run = tiny.run("-n2")

    assert run.outcomes() == {"killed": "unknown", "other ucs-1": "passed", "other ucs-2": "passed"}
    assert run.check("killed")["cause"] == "run:worker"
    assert run.code == 1
    assert run.last_line.startswith("UNKNOWN · ")


def test_killed_workers_that_are_not_replaced_leave_the_rest_unknown(tiny: Tiny) -> None:
    tiny.suite(KILLED)

    run = tiny.run("-n1", "--max-worker-restart", "0")

    assert set(run.outcomes().values()) == {"unknown"}
    assert len(run.report["findings"]) == 1
    assert run.code != 0


@pytest.mark.parametrize("arguments", [["-x"], ["-n2"], ["-p", "no:xdist"], ["-p", "no:html"], ["-v"], ["-n", "auto"]])
def test_common_options_leave_the_verdict_alone(tiny: Tiny, arguments: list[str]) -> None:
    tiny.suite(MIXED)

    run = tiny.run(*arguments)

    assert run.code == 1
    assert run.report["verdict"] == "no-go"
    assert len(run.report["checks"]) == 4


def test_only_what_failed_last_time_runs_again(tiny: Tiny) -> None:
    tiny.suite(MIXED)
    tiny.run()

    run = tiny.run("--lf")

    assert run.outcomes() == {"it ucs-1": "failed", "vlan k6": "unknown"}
    assert "(only --lf suites/inventory)" in run.last_line


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (["-m", "not active"], {"it ucs-1", "it ucs-2"}),
        (["-m", "network"], {"vlan browsers", "vlan k6"}),
        (["-m", "major and host", "-k", "ucs-2"], {"it ucs-2"}),
        (["-k", "browsers"], {"vlan browsers"}),
    ],
)
def test_checks_are_selected_by_layer_severity_kind_and_subject(
    tiny: Tiny, arguments: list[str], chosen: set[str]
) -> None:
    tiny.suite(MIXED)

    assert tiny.run(*arguments).outcomes().keys() == chosen
