"""Whole experiments without a lab: a folder is the bed, a file in it the fault, and the toolkit, ledger and recorder real."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.call import Call
from chaos.extension.result import Result, read
from chaos.history.model import moments
from chaos.reach import Reach
from chaos.undo import Left, bring_back
from plumbline.bed import Bed
from plumbline.hold import hold
from tests.chaos.scratch import Scratch, soon

pytestmark = pytest.mark.timeout(120)


def step(kind: str, func: str, **arguments: Any) -> dict[str, Any]:
    provider = {"type": "python", "module": f"chaos.extension.{kind}s", "func": func, "arguments": arguments}
    return {"type": kind, "name": func, "provider": provider, "background": func == "safeguard"}


def experiment(scratch: Scratch, *middle: dict[str, Any], **declared: Any) -> Path:
    """An experiment whose client is refused while the file `closed` is there."""
    closed, open_ = ({"scratch.file": {"path": str(scratch.file("closed")), "text": text}} for text in ("yes", None))
    nothing = {"type": "python", "module": "chaos.extension.tolerances", "func": "nothing", "arguments": {"value": []}}
    extension = {
        "name": "plumbline", "experiment": "closed", "stands_for": "no document", "touches": "a file of the folder",
        "records": {"c": {"client": "scratch", "with": {"path": str(scratch.folder)}, "rate": 20}},
        "watch": {"noticed": [closed], "whole": [open_]}, "mended_by": "undo",
        "budgets": {"detect": "quick", "mend": "quick", "recover": {"c": "quick"}}, **declared,
    }  # fmt: skip
    told = {
        "version": "1.0.0", "title": "closed for a while", "description": "writes are refused, and none is lost",
        "configuration": {"bed": {"type": "env", "key": "PLUMBLINE_BED"}}, "extensions": [extension],
        "controls": [
            {"name": "p", "provider": {"type": "python", "module": "chaos.extension.controls", "arguments": {"bed": "${bed}"}}}
        ],
        "steady-state-hypothesis": {
            "title": "sound",
            "probes": [{**step("probe", "wrong"), "tolerance": {"type": "probe", "name": "n", "provider": nothing}}],
        },
        "method": [
            step("action", "record", calm="500ms"), step("probe", "safeguard"),
            step("action", "inject", steps=[closed], time_to_live="30s"), *middle,
            step("probe", "noticed"), step("action", "undo"), step("probe", "whole"), step("action", "end", calm="500ms"),
        ],
        "rollbacks": [step("action", "undo")],
    }  # fmt: skip
    file = scratch.folder / "closed.yaml"
    file.write_text(json.dumps(told))
    scratch.bed(more="budgets: {quick: 20s}\n")
    return file


def ran(scratch: Scratch, file: Path) -> tuple[int, Result, str]:
    run = scratch.chaos("run", str(file), "--report-dir", str(scratch.folder / "out"))
    result = read(scratch.folder / "out" / "closed")
    assert result is not None, run.stderr
    return run.returncode, result, run.stdout


def restored(scratch: Scratch) -> bool:
    return not (scratch.file("closed").exists() or scratch.entries() or scratch.file("values").exists())


def test_an_experiment_that_is_come_through_passes(scratch: Scratch) -> None:
    code, result, said = ran(scratch, experiment(scratch))

    assert (code, result.wrong, result.deviated) == (0, (), False)
    assert said.startswith("PASSED · closed · ")
    assert result.clients["c"].lost > 0
    assert result.clients["c"].missing == 0
    assert restored(scratch)


def test_over_budget_deviates_though_all_is_well_again(scratch: Scratch) -> None:
    file = experiment(scratch, budgets={"mend": "quick", "gap": {"c": "quick"}})
    scratch.bed(more="budgets: {quick: 10ms}\n")

    code, result, _ = ran(scratch, file)

    assert (code, result.deviated) == (1, True)
    assert any("without a success" in said for said in result.wrong)
    assert restored(scratch)


def test_the_safeguard_aborts_what_must_not_be_affected(scratch: Scratch) -> None:
    wait = {"type": "probe", "name": "wait", "provider": {"type": "process", "path": "sleep", "arguments": "20"}}

    code, result, _ = ran(scratch, experiment(scratch, wait, unaffected=["c"], patience="1s"))

    assert (code, result.status) == (1, "interrupted")
    assert result.aborted.startswith("c was not to be affected")
    assert result.seconds < 15
    assert restored(scratch)


def test_an_abort_in_the_middle_of_the_undo_waits_for_its_end(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def aborted(bed: Bed, reach: Reach, calls: Sequence[Call]) -> list[Left]:
        os.kill(os.getpid(), signal.SIGUSR1)  # as the safeguard does
        return bring_back(bed, reach, calls)

    monkeypatch.setattr("chaos.session.bring_back", aborted)

    code, result, _ = ran(scratch, experiment(scratch))

    assert (code, result.status, result.still_in) == (130, "interrupted", "")
    assert restored(scratch)


def test_an_earlier_result_is_not_taken_for_that_of_a_run_that_never_began(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = experiment(scratch)
    assert ran(scratch, file)[0] == 0
    monkeypatch.setattr("chaos.extension.running.begin", lambda *_: 1 / 0)

    run = scratch.chaos("run", str(file), "--report-dir", str(scratch.folder / "out"))

    assert run.returncode == 1
    assert "it did not begin" in run.stdout


def test_a_bed_that_is_held_is_told_of_at_once(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.run.HOLD_LIMIT", 0.1)
    file = experiment(scratch)

    with hold(scratch.name):
        run = scratch.chaos("run", str(file), "--report-dir", str(scratch.folder / "out"))

    assert (run.returncode, "held by another run" in run.stderr) == (12, True)


def test_a_step_that_no_action_takes_is_told_before_anything_is_done(scratch: Scratch) -> None:
    file = experiment(scratch, step("action", "inject", steps=[{"scratch.file": {"path": "/etc/x", "text": None}}]))

    run = scratch.chaos("run", str(file), "--report-dir", str(scratch.folder / "out"))

    assert run.returncode == 2
    assert "closed.yaml:1:" in run.stderr
    assert restored(scratch)


def test_what_cannot_be_undone_ends_with_11(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.session.bring_back", partial(bring_back, limit=0.5))
    script = f"-c 'rm {scratch.file('closed')}; mkdir {scratch.file('closed')}'"
    stuck = {"type": "action", "name": "stuck", "provider": {"type": "process", "path": "sh", "arguments": script}}

    code, result, said = ran(scratch, experiment(scratch, step("probe", "noticed"), stuck))

    assert (code, result.status, result.passed) == (11, "interrupted", False)
    assert "is still in: scratch.file" in result.still_in
    assert said.startswith("STILL IN · closed · ")
    assert len(scratch.entries()) == 1

    scratch.file("closed").rmdir()  # now it can be undone, and the watchdog is still at it
    assert soon(lambda: restored(scratch))


def test_a_killed_runner_leaves_nothing(scratch: Scratch) -> None:
    wait = {"type": "probe", "name": "wait", "provider": {"type": "process", "path": "sleep", "arguments": "30"}}
    file, out = experiment(scratch, wait), scratch.folder / "out"
    with scratch.started("run", str(file), "--report-dir", str(out)) as process:
        told = out / "closed" / "moments.jsonl"
        assert soon(lambda: any(m.name == "inject" for m in moments(told)) or process.poll() is not None)
        assert scratch.file("closed").exists()
        process.kill()

        assert soon(lambda: restored(scratch), 20.0)
