"""gate.json: a run for other programs. Its schema is docs/gate.schema.json, and docs/report.md describes it."""

from __future__ import annotations

import json
from typing import Any

from plumbline.verdict import Finding, Result, Run, layers, verdict
from plumbline.verdict.model import count

FORMAT = 1


def gate_json(run: Run) -> str:
    """The text of gate.json."""
    return json.dumps(document(run), indent=1, ensure_ascii=False) + "\n"


def document(run: Run) -> dict[str, Any]:
    """The run as plain data."""
    return {
        "format": FORMAT,
        "bed": run.bed,
        "title": run.title,
        "bed_file": run.bed_file,
        "verdict": verdict(run.results),
        "selection": run.selection,
        "started": run.started,
        "seconds": run.seconds,
        "counts": count(run.results).as_dict(),
        "notes": list(run.notes),
        "layers": {name: counts.as_dict() for name, counts in layers(run.results).items()},
        "findings": [_finding(finding) for finding in run.findings],
        "checks": [_check(result, run.causes.get(result.nodeid, "")) for result in run.results],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.first.id,
        "outcome": finding.first.outcome,
        "severity": finding.severity,
        "subjects": list(dict.fromkeys(r.subject for r in finding.roots)),
        "consequence": finding.first.consequence,
        "remedy": finding.first.remedy,
        "follows": [{"check": r.id, "subject": r.subject} for r in finding.consequences],
    }


def _check(result: Result, cause: str) -> dict[str, Any]:
    return {
        "id": result.id,
        "layer": result.layer,
        "subject": result.subject,
        "case": result.case,
        "title": result.title,
        "severity": result.severity,
        "kind": result.kind,
        "outcome": result.outcome,
        "seconds": result.seconds,
        "expected": result.expected,
        "found": result.found,
        "cause": cause,
        "consequence": result.consequence,
        "remedy": result.remedy,
        "declared": result.declared,
        "source": result.source,
        "test": result.nodeid,
    }
