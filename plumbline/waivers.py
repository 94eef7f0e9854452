"""What a bed file says about single checks: that it cannot be shown, or that its failure is accepted for a while."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase

from plumbline.bed import Bed
from plumbline.verdict.model import Result


def not_applicable(bed: Bed, check: str, subject: str) -> str:
    """Why a check cannot be shown on this bed, and where the bed file says so; empty where it can."""
    for index, entry in enumerate(bed.not_applicable):
        if fnmatchcase(check, entry.check) and fnmatchcase(subject, entry.subject):
            return f"{entry.why} ({bed.where(f'not_applicable.{index}')})"
    return ""


def waiver_for(bed: Bed, result: Result, today: date) -> Result:
    """The result as waivers leave it: a red check is waived until the waiver's last day; after that it has failed."""
    if result.outcome not in ("failed", "unknown"):
        return result
    for index, waiver in enumerate(bed.waivers):
        if not (fnmatchcase(result.id, waiver.check) and fnmatchcase(result.subject, waiver.subject)):
            continue
        words = f"waived by {waiver.who} until {waiver.until}: {waiver.why} ({bed.where(f'waivers.{index}')})"
        if date.fromisoformat(waiver.until) < today:
            return replace(result, outcome="failed", found=f"{result.found}; the waiver has expired ({words})")
        return replace(result, outcome="waived", found=f"{result.found}; {words}")
    return result
