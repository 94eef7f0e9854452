"""Exit code, last line and files of every way in which a run can end."""

from __future__ import annotations

import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plumbline.hold import hold
from plumbline.places import ledger
from tests.collect.api import api
from tests.gate.tiny import Ended, Tiny

PASSES = "@check('host.it', **ABOUT)\ndef test_it(): pass\n"
FILES = {"gate.html", "gate.json", "gate.prom", "junit.xml"}


def assert_aborted(run: Ended, code: int, check: str, remedy: str) -> None:
    assert run.code == code, run.out
    assert "Traceback" not in run.out
    assert {file.name for file in run.folder.iterdir()} == FILES
    [finding] = run.report["findings"]
    assert finding["check"] == f"gate.{check}"
    assert remedy in finding["remedy"]
    assert remedy in (run.folder / "gate.html").read_text(encoding="utf-8")
    assert run.last_line.startswith(("UNKNOWN · ", "NO-GO · "))


def test_0_when_all_is_well(tiny: Tiny) -> None:
    tiny.suite(PASSES)

    run = tiny.run()

    assert run.code == 0
    assert run.last_line.startswith(f"GO · {tiny.name} · 1 passed (only suites/inventory) · ")
    assert run.last_line.endswith(" s · reports/gate.html")


def test_1_when_a_check_is_unknown(tiny: Tiny) -> None:
    tiny.suite(PASSES + "@check('host.no', **ABOUT)\ndef test_no(): raise Unknown('no answer')\n")

    run = tiny.run()

    assert run.code == 1
    assert run.last_line.startswith("UNKNOWN · ")


def test_1_when_no_check_is_applicable(tiny: Tiny) -> None:
    tiny.bed("not_applicable:\n  - {check: host.it, why: there is none here}")
    tiny.suite(PASSES)

    run = tiny.run()

    assert run.code == 1
    assert run.last_line.startswith(f"UNKNOWN · {tiny.name} · 1 not applicable")


def test_2_when_it_is_interrupted_and_what_did_not_run_is_unknown(tiny: Tiny) -> None:
    tiny.suite(
        "@check('host.slow', **ABOUT)\ndef test_slow():\n    open('slow', 'w').close()\n    time.sleep(50)\n" + PASSES
    )
    process = tiny.start()
    _wait_for(tiny.folder / "slow")
    process.send_signal(signal.SIGTERM)

    run = tiny.ended(process)

    assert run.code == 2
    assert run.outcomes() == {"slow": "unknown", "it": "unknown"}


def test_2_when_a_suite_cannot_be_read(tiny: Tiny) -> None:
    tiny.suite(PASSES)
    tiny.suite("import nothing_of_this_name\n", name="test_other.py")

    run = tiny.run()

    assert run.code == 2
    assert "nothing_of_this_name" in run.report["findings"][0]["check"] + run.report["checks"][0]["found"]
    assert run.last_line.startswith("UNKNOWN · ")


@pytest.mark.parametrize("text", ["", "{", "version: 2\nbed: x\n", "version: 1\nbed: x\nnoodles: 3\n"])
def test_4_when_the_bed_file_cannot_be_used(tiny: Tiny, text: str) -> None:
    tiny.suite(PASSES)
    tiny.write("bed.yaml", text)

    assert_aborted(tiny.run(), 4, "bed-file", "bed.yaml")


@pytest.mark.parametrize("access", ["kubeconfig: '${env:NO_SUCH}'", "ssh: {config: '${env:NO_SUCH}'}"])
def test_4_when_the_bed_file_takes_its_access_from_what_is_not_set(tiny: Tiny, access: str) -> None:
    tiny.bed(CLUSTER.replace("kubeconfig: kubeconfig", access))
    tiny.suite(PASSES, layer="host")

    run = tiny.run("suites")

    assert_aborted(run, 4, "bed-file", "bed.yaml")
    assert "${env:NO_SUCH} is not set" in run.report["checks"][0]["found"]


@pytest.mark.parametrize("option", ["--chaos", "--load"])
def test_4_when_the_bed_does_not_allow_it(tiny: Tiny, option: str) -> None:
    tiny.suite(PASSES)

    assert_aborted(tiny.run(option), 4, "permission", "allow: {")


def test_5_when_nothing_was_selected(tiny: Tiny) -> None:
    tiny.suite(PASSES)

    run = tiny.run("-k", "nothing_like_it")

    assert run.code == 5
    assert run.last_line.startswith(f"UNKNOWN · {tiny.name} · no checks (only -k 'nothing_like_it'")


def test_10_when_the_lab_does_not_come_up(tiny: Tiny) -> None:
    tiny.bed(realised_by="lab")
    tiny.suite(PASSES, layer="host")
    tiny.write("lab/__init__.py", "")
    tiny.write("lab/__main__.py", "raise SystemExit('podman is missing: apt-get install podman')")

    assert_aborted(tiny.run("suites"), 10, "bed-reachable", "python -m lab up --bed")


def test_10_when_there_is_no_namespace_to_look_from(tiny: Tiny) -> None:
    tiny.bed(realised_by="lab")
    tiny.suite(PASSES, layer="host")
    tiny.write("lab/__init__.py", "")
    tiny.write("lab/__main__.py", "")

    assert_aborted(tiny.run("suites"), 10, "bed-reachable", "python -m lab down")


def test_10_when_nothing_answers(tiny: Tiny) -> None:
    tiny.bed("access: {ssh: {config: nobody}}")
    bed = (tiny.folder / "bed.yaml").read_text(encoding="utf-8")
    tiny.write("bed.yaml", bed.replace("ssh: false", "oobi: 127.0.0.1"))
    tiny.write("nobody", "Host *\n  HostName 127.0.0.1\n  Port 1\n  StrictHostKeyChecking yes\n")
    tiny.suite(
        "@check('host.it', **ABOUT)\n@for_each('n', nodes)\ndef test_it(n, facts): facts.node(n)\n", layer="host"
    )

    run = tiny.run("suites")

    assert run.code == 10
    assert run.report["verdict"] == "unknown"
    assert "nothing of the bed answered" in run.out


def test_11_when_a_fault_is_still_in(tiny: Tiny) -> None:
    tiny.suite(PASSES, layer="host")
    tiny.write("chaos/__init__.py", "")
    tiny.write("chaos/__main__.py", "raise SystemExit('the switch does not answer')")
    fault = ledger(tiny.name) / "20261121T120000-abcdef.json"
    fault.parent.mkdir(parents=True)
    fault.touch()

    run = tiny.run("suites")
    shutil.rmtree(fault.parent.parent)

    assert_aborted(run, 11, "leftover-faults", "python -m chaos ledger undo")
    assert "20261121T120000-abcdef: the switch does not answer" in run.report["checks"][0]["found"]


def test_12_when_another_run_holds_the_bed_alone(tiny: Tiny) -> None:
    tiny.suite(PASSES, layer="host")

    with hold(tiny.name, alone=True, purpose="experiment vlan-30"):
        run = tiny.run("suites", "--hold-timeout", "0.2")

    assert_aborted(run, 12, "bed-held", "--hold-timeout")
    assert "experiment vlan-30" in run.report["checks"][0]["found"]


def test_two_gates_share_a_bed(tiny: Tiny) -> None:
    tiny.suite(PASSES, layer="host")

    with hold(tiny.name, purpose="gate"):
        run = tiny.run("suites", "--hold-timeout", "0.2")

    assert run.code == 0


def test_reports_that_cannot_be_written_do_not_hide_the_verdict(tiny: Tiny) -> None:
    tiny.suite(PASSES)
    tiny.write("taken", "a file where a folder should be")

    run = tiny.run("--report-dir", "taken")

    assert run.code == 3
    assert "GO · " in run.last_line
    assert "no report: " in run.last_line


def test_the_tests_of_the_instrument_itself_are_no_gate(tiny: Tiny) -> None:
    tiny.write("tests/test_it.py", "def test_it(): pass")

    run = tiny.run("tests")

    assert run.code == 0
    assert "GO" not in run.out
    assert not run.folder.exists()


def _wait_for(file: Path, limit: float = 20.0) -> None:
    deadline = time.monotonic() + limit
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


CLUSTER = """\
kubernetes: {version: '1', api: 'https://localhost', pods: 10.42.0.0/16, services: 10.43.0.0/16, dns: 10.43.0.10}
access: {kubeconfig: kubeconfig}"""


def lease(tiny: Tiny, minutes: int) -> dict[str, Any]:
    """The Lease of another machine, whose faults are in for so many minutes more, by its place."""
    renewed = datetime.now(UTC) + timedelta(minutes=minutes)
    spec = {"holderIdentity": "elsewhere/0123/20261121T120000-abcdef", "renewTime": renewed.isoformat()}
    place = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/plumbline-{tiny.name}"
    return {place: {"spec": spec | {"leaseDurationSeconds": 60}}}


@pytest.mark.parametrize(("minutes", "code", "check"), [(5, 12, "bed-held"), (-5, 11, "leftover-faults")])
def test_faults_of_another_machine_end_it_before_the_first_check(
    tiny: Tiny, minutes: int, code: int, check: str
) -> None:
    tiny.bed(CLUSTER)
    tiny.suite(PASSES, layer="host")

    with api(tiny.folder, lease(tiny, minutes)):
        run = tiny.run("suites", "--hold-timeout", "0.2")

    assert run.code == code, run.out
    [said] = [one for one in run.report["checks"] if one["layer"] == "gate"]
    assert said["id"] == f"gate.{check}"
    assert "elsewhere" in said["found"]
    assert run.check("it")["outcome"] == "unknown"


def test_12_when_another_machine_took_the_bed_while_it_was_looked_at(tiny: Tiny) -> None:
    tiny.bed(CLUSTER)
    begun, taken = tiny.folder / "begun", tiny.folder / "taken"
    tiny.suite(
        "import pathlib, time\n@check('host.it', **ABOUT)\ndef test_it():\n"
        f"    pathlib.Path({str(begun)!r}).touch()\n    while not pathlib.Path({str(taken)!r}).exists(): time.sleep(0.02)\n",
        layer="host",
    )
    objects: dict[str, Any] = {}

    def other_machine() -> None:
        _wait_for(begun)
        objects.update(lease(tiny, 5))
        taken.touch()

    with api(tiny.folder, objects), ThreadPoolExecutor(1) as other:
        other.submit(other_machine)
        run = tiny.run("suites")

    assert run.code == 12, run.out
    [said] = [one for one in run.report["checks"] if one["layer"] == "gate"]
    assert "elsewhere" in said["found"]
    assert run.last_line.startswith("UNKNOWN · ")
