"""A way that must be refused is judged by the answer to its own probe."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline import subjects
from plumbline.bed import Bed
from plumbline.facts import Facts
from plumbline.facts.source import Source, write_json
from suites.network.test_isolation import test_a_refused_way_is_closed as judge
from tests.collect.bed import small

SOURCE = "agent"


def told(folder: Path, bed: Bed, **outcomes: str) -> Facts:
    """Facts of one probe to each target, with these outcomes."""
    about = {"purpose": "refused", "node": "n1", "source": SOURCE, "pod": "agents/agent-1", "args": {}}
    probes = [{"kind": "tcp", "id": f"to-{target}", "target": target, **about} for target in outcomes]
    answers = {f"to-{t}": {"outcome": o, "error": None, "seconds": 0.1, "facts": {}} for t, o in outcomes.items()}
    write_json(folder / "collect.json", {"process": 1, "until": 0.0, "active": True, "hosts": ["n1"]})
    write_json(folder / "plan.json", {"probes": probes})
    Source("ok", facts={"probes": answers}).write(folder / "probes" / "n1.json")
    return Facts(folder, bed)


def test_an_open_way_is_not_hidden_by_a_closed_one_from_the_same_source(tmp_path: Path) -> None:
    bed = small(tmp_path)
    facts = told(tmp_path, bed, closed="timeout", opened="ok")

    judge(subjects.Path(SOURCE, "closed", bed.flows[0]), facts, bed)
    with pytest.raises(AssertionError, match="ok"):
        judge(subjects.Path(SOURCE, "opened", bed.flows[0]), facts, bed)


def test_a_way_of_a_persona_is_judged_by_what_its_workload_asked(tmp_path: Path) -> None:
    bed = small(tmp_path)
    persona = bed.personas["persona-1"].model_copy(update={"workload": SOURCE})
    bed = bed.model_copy(update={"personas": {"first": persona}})

    with pytest.raises(AssertionError, match="ok"):
        judge(subjects.Path("first", "opened", bed.flows[0]), told(tmp_path, bed, opened="ok"), bed)
