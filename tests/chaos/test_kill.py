"""Real processes, really killed: layers 3, 5 and 6 of the undo, and what the command line says of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chaos import torture
from chaos.watchdog import Watchdog
from plumbline.hold import hold
from tests.chaos.scratch import ROOT, Scratch, soon

_PYTHON = (sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); exec(sys.argv[1])")


def in_after(scratch: Scratch, process: subprocess.Popen[str]) -> None:
    assert soon(lambda: scratch.file("one").read_text() == "changed" or process.poll() is not None)
    assert process.poll() is None


def injected(scratch: Scratch, ttl: str = "20s") -> tuple[str, ...]:
    fault = scratch.fault(scratch.change("one"), scratch.change("new"), ttl=ttl)
    return ("inject", str(fault.path), "--for", "20s")


def restored(scratch: Scratch) -> bool:
    return scratch.file("one").read_text() == "as it was" and not scratch.file("new").exists() and not scratch.entries()


def watchdog_of(process: subprocess.Popen[str]) -> int:
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_runner_that_is_asked_to_end_undoes_and_says_so(scratch: Scratch, number: signal.Signals) -> None:
    with scratch.started(*injected(scratch)) as process:
        in_after(scratch, process)
        process.send_signal(number)
        _, said = process.communicate(timeout=10)

    assert process.returncode == 130
    assert "is undone" in said
    assert restored(scratch)


def test_the_watchdog_undoes_what_a_killed_runner_left(scratch: Scratch) -> None:
    with scratch.started(*injected(scratch)) as process:
        in_after(scratch, process)
        watchdog = watchdog_of(process)
        process.kill()

        assert soon(lambda: restored(scratch), 5.0)
    assert soon(lambda: not Path(f"/proc/{watchdog}").exists(), 5.0)
    assert not list(scratch.folder.glob("state/*/ledger/*.log"))


def test_what_a_session_could_not_undo_is_left_to_the_watchdog(scratch: Scratch) -> None:
    scratch.file("one").write_text("changed")
    entry = scratch.entry(scratch.change("one", "as it was"))
    watchdog = Watchdog.start(scratch.bed(), entry)
    watchdog.await_ready()

    watchdog.end(entry)  # the session is over, and its entry is still there

    assert restored(scratch)
    assert soon(lambda: not watchdog.alive(), 5.0)


def test_the_watchdog_undoes_what_outlives_its_time(scratch: Scratch) -> None:
    fault = scratch.fault(scratch.change("one"), scratch.change("new"), ttl="1s")
    code = (
        "import sys, time\nfrom chaos.fault import load\nfrom chaos.session import session\nfrom plumbline.bed import load as bed\n"
        f"with session(bed('bed.yaml'), load(__import__('pathlib').Path({str(fault.path)!r}))):\n    time.sleep(8)"
    )
    process = subprocess.Popen([*_PYTHON, code], cwd=scratch.folder, stderr=subprocess.PIPE, text=True)
    with process:
        in_after(scratch, process)
        assert soon(lambda: restored(scratch), 5.0)
        assert process.poll() is None
        process.kill()


def test_the_next_command_undoes_what_runner_and_watchdog_left(scratch: Scratch) -> None:
    with scratch.started(*injected(scratch)) as process:
        in_after(scratch, process)
        os.kill(watchdog_of(process), signal.SIGKILL)
        process.kill()
    assert not restored(scratch)

    listed, undone = scratch.chaos("ledger", "list", "--check"), scratch.chaos("ledger", "undo")

    assert listed.returncode == 11
    assert "which is gone" in listed.stdout
    assert (undone.returncode, undone.stdout) == (0, "undone: scratch\n")
    assert restored(scratch)


def test_what_cannot_be_undone_is_named_and_ends_with_11(scratch: Scratch) -> None:
    scratch.file("a-file").write_text("in the way of a folder")
    stuck = {"scratch.file": {"path": str(scratch.file("a-file") / "below"), "text": "as it was"}}
    scratch.file("one").write_text("changed")
    scratch.entry(stuck, scratch.change("one", "as it was"))

    run = scratch.chaos("ledger", "undo", "--limit", "0.1")

    assert run.returncode == 11
    assert "scratch" in run.stderr
    assert "is still in: scratch.file" in run.stderr
    assert run.stderr.count("is still in") == 1
    assert scratch.file("one").read_text() == "as it was"
    assert len(scratch.entries()) == 1


def test_what_a_living_process_has_in_is_left_to_it(scratch: Scratch) -> None:
    with scratch.started(*injected(scratch)) as process:
        in_after(scratch, process)
        run = scratch.chaos("ledger", "undo")

        assert run.returncode == 11
        assert f"process {process.pid}" in run.stderr
        assert scratch.file("one").read_text() == "changed"
        process.terminate()
        process.communicate(timeout=10)
    assert restored(scratch)


def test_a_second_run_ends_with_12(scratch: Scratch) -> None:
    words = injected(scratch)

    with hold(scratch.name, alone=True, purpose="fault other"):
        run = scratch.chaos(*words, "--hold-timeout", "0.1")

    assert run.returncode == 12
    assert "fault other" in run.stderr
    assert restored(scratch)


def test_a_bed_that_does_not_allow_faults_ends_it_with_2(scratch: Scratch) -> None:
    words = injected(scratch)
    scratch.bed(allowed=False)

    run = scratch.chaos(*words)

    assert run.returncode == 2
    assert "bed.yaml:4: " in run.stderr
    assert restored(scratch)


def test_torture_counts_what_it_killed(capsys: pytest.CaptureFixture[str]) -> None:
    assert torture.command(None, [], 2, 7) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 killed, 2 restored, 0 left"


def test_experiment_undoes_by_rollback_and_tells_of_one_that_fails(scratch: Scratch) -> None:
    fault = scratch.fault(scratch.change("one"), scratch.change("new"))
    written = scratch.chaos("experiment", str(fault.path), "--write")
    experiment = json.loads(written.stdout)

    assert [step["provider"]["func"] for step in experiment["method"]] == ["gate", "inject", "effect", "gate", "effect"]
    assert experiment["runtime"] == {"rollbacks": {"strategy": "always"}}
    experiment["method"] = [step for step in experiment["method"] if step["provider"]["func"] != "gate"]
    experiment["method"].append(
        {**experiment["method"][-1], "name": "raises", "provider": {"type": "process", "path": "/x"}}
    )
    (scratch.folder / "experiment.json").write_text(json.dumps(experiment))
    code = (
        "import json\nfrom chaos import experiment\n"
        "journal = experiment.run(json.load(open('experiment.json')))\n"
        "print(json.dumps([experiment.as_it_should(journal), journal['rollbacks'][0]['output']]))"
    )
    run = subprocess.run([*_PYTHON, code], cwd=scratch.folder, capture_output=True, text=True, timeout=20, check=False)

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == [False, 1]
    assert restored(scratch)


def test_experiment_ends_with_11_where_its_rollback_failed(scratch: Scratch) -> None:
    journal = {"rollbacks": [{"activity": {"name": "undo it"}, "status": "failed", "exception": ["StillIn: one"]}]}
    code = (
        "import json, chaoslib.experiment as toolkit\nfrom chaos import experiment\n"
        f"toolkit.run_experiment = lambda *_, **__: {journal!r}\n"
        "try: experiment.run({})\nexcept experiment.StillIn as error: raise SystemExit(f'{error.exit_code} {error}')"
    )
    run = subprocess.run([*_PYTHON, code], cwd=scratch.folder, capture_output=True, text=True, timeout=20, check=False)

    assert run.stderr.strip() == "11 the rollback `undo it` failed: StillIn: one"
