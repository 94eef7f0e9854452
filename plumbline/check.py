"""What a check is: a short function, and what stands beside it.

The decorators only attach data to the function; the pytest plugin `fixtures.checks` makes parameters, markers and
outcomes of it.

    @check("network.gateway-answers", severity="critical", kind="active",
           remedy="on {node}: ip -br link show eth1; on the switch: allow the VLAN on the trunk",
           consequence="nothing on this VLAN reaches the firewall", source="seed 000, chapter 13")
    @for_each("port", subjects.agent_ports)
    def test_the_gateway_answers(port, facts):
        answer = facts.ping(port.node, port.gateway)

        assert answer.received, found("no reply in 3 probes", expected="a reply within 1 s")
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from plumbline.bed import Bed

LAYERS = (
    "inventory", "host", "network", "inspection", "certificates", "kubernetes", "placement", "services",
    "pki", "ssh", "consul", "vault", "slurm", "load",
)  # fmt: skip
SEVERITIES = ("critical", "major", "minor")
Severity = Literal["critical", "major", "minor"]
Kind = Literal["read", "active"]
Function = TypeVar("Function", bound=Callable[..., None])

_CHECK = "plumbline_check"
_LOOPS = "plumbline_loops"
_ID = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True)
class Check:
    """What is known of a check before it runs."""

    id: str
    severity: Severity
    kind: Kind
    remedy: str
    consequence: str
    source: str
    subject: str = ""

    @property
    def layer(self) -> str:
        """The layer that the id begins with."""
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class Case:
    """One thing of the bed that a check is about.

    `id` is what a reader sees in brackets, `subject` names the thing as kind:name, `value` is what the check is given,
    `needs` are the subjects that it stands on, and `declared` is the place in the bed file that says so.
    """

    id: str
    subject: str
    value: Any
    needs: tuple[str, ...] = ()
    declared: str = ""


Cases = Callable[[Bed], Iterable[Case]]


@dataclass(frozen=True)
class Loop:
    """An argument of a check and the cases that it takes."""

    argument: str
    cases: Cases


def check(
    id: str,
    *,
    severity: Severity,
    remedy: str,
    consequence: str,
    source: str,
    kind: Kind = "read",
    subject: str = "",
) -> Callable[[Function], Function]:
    """Makes a test function a check.

    `id` is layer.name. In `remedy` and `consequence`, {subject} and {name} stand for the subject and its name, {node}
    and {item} for what is before and after the slash in it, as in "on {node}: sysctl -w {item}=…". `subject` is for a
    check without `for_each`. Raises ValueError on an id, severity or kind that no one could select.
    """
    if not _ID.fullmatch(id):
        raise ValueError(f"check id {id!r}: layer.name in small letters, digits and dashes was expected")
    if severity not in SEVERITIES or kind not in ("read", "active"):
        raise ValueError(f"check {id}: severity {severity!r} or kind {kind!r} is none of {SEVERITIES}, read, active")
    if not (remedy and consequence and source):
        raise ValueError(f"check {id}: remedy, consequence and source must say something")

    def mark(function: Function) -> Function:
        setattr(function, _CHECK, Check(id, severity, kind, remedy, consequence, source, subject))
        return function

    return mark


def for_each(argument: str, cases: Cases) -> Callable[[Function], Function]:
    """Runs the check once for each case that `cases` finds in the bed; several of them make every combination."""

    def mark(function: Function) -> Function:
        setattr(function, _LOOPS, (Loop(argument, cases), *loops_of(function)))
        return function

    return mark


def check_of(function: object) -> Check | None:
    """The check that a function was made, or None."""
    return getattr(function, _CHECK, None)


def loops_of(function: object) -> tuple[Loop, ...]:
    """The arguments and cases of a check, as written from top to bottom."""
    return getattr(function, _LOOPS, ())


def fill(text: str, subject: str) -> str:
    """A remedy or consequence with {subject}, {name}, {node} and {item} replaced; other braces stay as they are."""
    name = subject.partition(":")[2] or subject
    node, _, item = name.partition("/")
    words = {"{subject}": subject, "{name}": name, "{node}": node, "{item}": item or node}
    for placeholder, word in words.items():
        text = text.replace(placeholder, word)
    return text


class Found(str):
    """What a failed check found, as text, with what was expected instead."""

    expected: str = ""


_last: list[Found] = []


def found(text: object, *, expected: object = "") -> Found:
    """What was found, for the message of an assertion; Python evaluates it only where the assertion fails.

    assert answer.received, found("no reply in 3 probes", expected="a reply within 1 s")
    """
    said = Found(text)
    said.expected = str(expected)
    _last[:] = [said]
    return said


def forget() -> None:
    """Forgets what was found before; called before each check."""
    _last.clear()


def last_found() -> Found | None:
    """What the check that runs now said with `found`, or None: an assertion keeps only the text of its message."""
    return _last[0] if _last else None
