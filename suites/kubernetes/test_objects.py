"""Namespaces are there, and what must not be there is not."""

from __future__ import annotations

from plumbline.bed.model import Absent
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from suites.kubernetes import cases

_PLURALS = {"NetworkPolicy": "networkpolicies", "HorizontalPodAutoscaler": "horizontalpodautoscalers"}


@check(
    "kubernetes.namespace",
    severity="critical",
    remedy="kubectl create namespace {name}; apply what belongs into it again",
    consequence="nothing of {name} runs",
    source="seed 000, chapter 5.1",
)
@for_each("namespace", cases.namespaces)
def test_a_namespace_is_there(namespace: str, facts: Facts) -> None:
    """The namespace exists and is not being deleted."""
    known = facts.kubernetes.object("namespaces", "", namespace)

    assert known is not None, found(f"no namespace {namespace}", expected="Active")
    assert known["status"]["phase"] == "Active", found(known["status"]["phase"], expected="Active")


@check(
    "kubernetes.absent",
    severity="major",
    remedy="kubectl delete what {name} names (kind/namespace/name), and take it out of what applies it again",
    consequence="agents are held back by rules that were made for another network than theirs",
    source="seed 000, chapter 7.4",
)
@for_each("absent", cases.absent)
def test_what_was_removed_stays_away(absent: Absent, facts: Facts) -> None:
    """The object does not exist."""
    plural = _PLURALS.get(absent.kind, f"{absent.kind.lower()}s")
    known = facts.kubernetes.object(plural, absent.namespace, absent.name)

    assert known is None, found(f"{absent.kind} {absent.name} is in {absent.namespace}", expected="it does not exist")
