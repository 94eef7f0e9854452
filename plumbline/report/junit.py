"""junit.xml: a run for a CI server, under titles that people read."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from plumbline.verdict import Result, Run
from plumbline.verdict.model import count

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(run: Run) -> str:
    """The text of junit.xml: failed is a failure, unknown an error, waived and not applicable are skipped."""
    counts = count(run.results)
    numbers = {
        "tests": str(counts.total),
        "failures": str(counts.failed),
        "errors": str(counts.unknown),
        "skipped": str(counts.waived + counts.not_applicable),
        "time": f"{run.seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "plumbline", **numbers})
    suite = ElementTree.SubElement(root, "testsuite", {"name": run.bed, "timestamp": run.started, **numbers})
    for result in run.results:
        _case(suite, result)
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, result: Result) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname=_text(result.id), name=_text(result.name), time=f"{result.seconds:.3f}"
    )
    tag = {"failed": "failure", "unknown": "error", "waived": "skipped", "not-applicable": "skipped"}.get(
        result.outcome
    )
    if tag is None:
        return
    told = ElementTree.SubElement(case, tag, message=_text(result.found), type=result.outcome)
    if result.outcome in ("failed", "unknown"):
        told.text = _text(_diagnosis(result))


def _diagnosis(result: Result) -> str:
    lines = {
        "subject": result.subject,
        "expected": result.expected,
        "found": result.found,
        "cause": result.cause,
        "what follows": result.consequence,
        "remedy": result.remedy,
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items() if value)


def _text(text: str) -> str:
    """XML has no way to write most control characters."""
    return _FORBIDDEN.sub("�", text)
