"""Outcomes of a check other than passed and failed, as what is raised to say so."""

from __future__ import annotations


class Unknown(Exception):
    """A question that could not be answered: it never passes, and never fails the thing that was asked about.

    `cause` is the subject that stood in the way, written kind:name, such as node:ucs-2; empty where none is known.
    """

    def __init__(self, reason: str, *, cause: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause


class BedUnreachable(Exception):
    """Nothing of the bed can be reached, so that nothing was sent; the runner ends with exit code 10."""

    exit_code = 10

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        super().__init__(f"{reason}\nremedy: {remedy}" if remedy else reason)
        self.reason = reason
        self.remedy = remedy
