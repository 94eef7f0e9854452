"""gate.json files written by hand: what a gate says of a bed on which the VLAN of the browsers is missing on a trunk."""

from __future__ import annotations

from typing import Any, Literal

Outcome = Literal["passed", "failed", "unknown", "waived", "not-applicable"]


def check(id: str, subject: str, outcome: Outcome, cause: str = "") -> dict[str, Any]:
    """One entry of `checks`."""
    return {
        "id": id,
        "layer": id.partition(".")[0],
        "subject": subject,
        "case": subject.partition(":")[2],
        "title": id,
        "severity": "critical",
        "kind": "active",
        "outcome": outcome,
        "seconds": 0.1,
        "expected": "",
        "found": "",
        "cause": cause,
        "consequence": "",
        "remedy": "",
        "declared": "",
        "source": "",
        "test": f"suites/{id}[{subject}]",
    }


def finding(id: str, subjects: list[str], *follows: tuple[str, str], outcome: Outcome = "failed") -> dict[str, Any]:
    """One entry of `findings`."""
    return {
        "check": id,
        "outcome": outcome,
        "severity": "critical",
        "subjects": subjects,
        "consequence": "",
        "remedy": "",
        "follows": [{"check": check, "subject": subject} for check, subject in follows],
    }


def gate(
    checks: list[dict[str, Any]], findings: list[dict[str, Any]], verdict: Literal["go", "no-go", "unknown"] = "no-go"
) -> dict[str, Any]:
    """A whole gate.json."""
    return {
        "format": 1,
        "bed": "lab",
        "title": "",
        "bed_file": "lab.yaml",
        "verdict": verdict,
        "selection": "",
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 9.0,
        "counts": {},
        "layers": {},
        "findings": findings,
        "checks": checks,
    }


PORT = ("network.vlan-crosses", "port:ucs-2/browsers")
OTHER = ("network.vlan-crosses", "port:ucs-3/k6")
FLOW = ("inspection.flow", "flow:web-agent>persona-1")
PAGE = ("inspection.page", "flow:web-agent>persona-1/page")


def healthy() -> dict[str, Any]:
    """No fault is in, and nothing is red; one check does not apply to this bed."""
    passed = [check(*about, "passed") for about in (PORT, OTHER, FLOW, PAGE)]
    return gate([*passed, check("host.module", "setting:ucs-2/8021q", "not-applicable")], [], "go")


def found() -> dict[str, Any]:
    """The gate names the port, and folds the flow that stands on it under it."""
    return gate(
        [
            check(*PORT, "failed"),
            check(*OTHER, "passed"),
            check(*FLOW, "failed", PORT[1]),
            check(*PAGE, "unknown", PORT[1]),
        ],
        [finding(PORT[0], [PORT[1]], FLOW, PAGE)],
    )
