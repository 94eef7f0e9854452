"""A fault as an experiment of Chaos Toolkit: the bed is go, the fault goes in, the gate names it, the fault goes out.

Rollbacks run always, and are looked at: the toolkit itself calls a run completed whose rollbacks failed.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from chaos.extension import fault as extension
from chaos.fault import Fault, find
from chaos.undo import StillIn
from plumbline.bed import Bed

SETTINGS = {"runtime": {"rollbacks": {"strategy": "always"}}}


def of(bed: Bed, fault: Fault, reports: Path, suites: str = "suites", workers: str = "auto") -> dict[str, Any]:
    """The experiment of a fault, as `chaos run --rollback-strategy=always` understands it."""
    file = str(bed.path.resolve())
    looks = {"bed": file, "suites": suites, "workers": workers}
    return {
        "version": "1.0.0",
        "title": f"{fault.fault}: {fault.summary}",
        "description": f"Stands for {fault.stands_for}; red are {', '.join(fault.red)}.",
        "tags": ["plumbline", fault.layer],
        "controls": [{"name": "undo", "provider": {"type": "python", "module": extension.__name__}}],
        "runtime": SETTINGS["runtime"],
        "method": [
            _activity("probe", "the bed is go", "gate", looks | {"report_dir": str(reports / "before")}, tolerance=0),
            _activity("action", f"inject {fault.fault}", "inject", {"bed": file, "fault": str(fault.path.resolve())}),
            _activity("probe", "the fault is in", "effect", {}, tolerance=True),
            _activity(
                "probe",
                "the gate says no-go",
                "gate",
                looks | {"report_dir": str(reports / "with-fault")},
                tolerance=extension.NO_GO,
            ),
            _activity("probe", "the fault was still in", "effect", {}, tolerance=True),
        ],
        "rollbacks": [_activity("action", f"undo {fault.fault}", "undo", {})],
    }


def run(experiment: dict[str, Any]) -> dict[str, Any]:
    """The toolkit's journal of an experiment. StillIn where a rollback failed, or where something is still in."""
    from chaoslib.experiment import run_experiment

    journal: dict[str, Any] | None = None
    try:
        journal = run_experiment(experiment, settings=SETTINGS)
    finally:
        extension.close()
    assert journal is not None
    for rollback in journal.get("rollbacks", []):
        if rollback["status"] != "succeeded":
            said = " ".join(map(str, rollback.get("exception", ["it did not say why"])[-1:])).strip()
            raise StillIn(f"the rollback `{rollback['activity']['name']}` failed: {said}")
    return journal


def as_it_should(journal: dict[str, Any]) -> bool:
    """Whether every activity succeeded within its tolerance; the toolkit does not look at probes of the method."""
    return journal["status"] == "completed" and all(
        activity.get("status") == "succeeded"
        and activity.get("output") == activity["activity"].get("tolerance", activity.get("output"))
        for activity in journal["run"]
    )


def command(bed: Bed, name: str, file: Path, only_write: bool) -> int:
    """`python -m chaos experiment`: 0 where the gate was go without the fault and no-go with it, else 1."""
    fault = find(name, bed)
    experiment = of(bed, fault, file.parent / "experiment" / fault.fault)
    if only_write:
        print(json.dumps(experiment, indent=1))
        return 0
    logging.getLogger("chaostoolkit").setLevel(logging.ERROR)
    journal = run(experiment)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(journal, indent=1, default=str), encoding="utf-8")
    good = as_it_should(journal)
    for activity in journal["run"]:
        print(f"{activity.get('status', 'crashed'):<10} {activity['activity']['name']}: {activity.get('output')}")
    print(f"{fault.fault}: {'as it should be' if good else 'NOT as it should be'} · {file}")
    return 0 if good else 1


def _activity(kind: str, name: str, function: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    provider = {"type": "python", "module": extension.__name__, "func": function, "arguments": arguments}
    return {"type": kind, "name": name, "provider": provider, **more}
