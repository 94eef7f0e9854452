"""Timers that renew something and the services that they start, typed."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d|w|month|y)\b")
_UNITS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
    "month": 2629800,
    "y": 31557600,
}
_CALENDAR = re.compile(r"OnCalendar=\*-\*-\* (\S+?):(\S+?):(\S+)")
_MONOTONIC = re.compile(r"(On\w+)USec=([^;]+)")
_STEP = re.compile(r"^\d+/(\d+)(?:\.0+)?$")
_ARGV = re.compile(r"argv\[\]=(.*?) ;")
_STATUS = re.compile(r"code=(\w+) ; status=(\d+)")


@dataclass(frozen=True)
class Command:
    """One command of a unit: its words, and how it ended last ("exited", 0); ("", -1) where it never ran."""

    argv: str
    code: str
    status: int

    @classmethod
    def of(cls, text: str) -> Command:
        """As `systemctl show` writes it."""
        argv, status = _ARGV.search(text), _STATUS.search(text)
        ran = status is not None and "start_time=[n/a]" not in text
        return cls(
            argv[1] if argv else "", status[1] if ran and status else "", int(status[2]) if ran and status else -1
        )


@dataclass(frozen=True)
class Renewer:
    """A timer and the service of the same name."""

    unit: str
    facts: Object

    @property
    def loaded(self) -> bool:
        """Whether both are there."""
        return all(self._one(kind, "LoadState") == "loaded" for kind in ("timer", "service"))

    @property
    def active(self) -> bool:
        """Whether the timer waits for its next moment, or its service runs."""
        return self._one("timer", "ActiveState") == "active"

    @property
    def state(self) -> str:
        """The timer's state, for a reader."""
        return self._one("timer", "ActiveState") if self.loaded else "there is no such timer"

    @property
    def enabled(self) -> bool:
        """Whether the timer comes back after a boot."""
        return self._one("timer", "UnitFileState") in ("enabled", "enabled-runtime", "static", "indirect", "generated")

    @property
    def persistent(self) -> bool:
        """Whether what was missed while the node was off is made up for."""
        return self._one("timer", "Persistent") == "yes"

    @property
    def every(self) -> dt.timedelta | None:
        """How often the timer looks; None where its calendar is of another kind."""
        calendar = _CALENDAR.search(self._one("timer", "TimersCalendar"))
        if calendar is None:
            return self._after("OnUnitActive") or self._after("OnUnitInactive")
        for part, unit in zip(calendar.groups()[::-1], (1, 60, 3600), strict=True):
            if part == "*":
                return dt.timedelta(seconds=unit)
            if step := _STEP.match(part):
                return dt.timedelta(seconds=unit * int(step[1]))
        return None

    @property
    def after_boot(self) -> dt.timedelta | None:
        """When the timer looks first; None where it is not told."""
        return self._after("OnBoot") or self._after("OnStartup")

    @property
    def jitter(self) -> dt.timedelta:
        """The timer's largest random delay."""
        return span(self._one("timer", "RandomizedDelayUSec"))

    @property
    def accuracy(self) -> dt.timedelta:
        """By how much more systemd may put the timer off, to wake the machine for several at once; a minute by default."""
        return span(self._one("timer", "AccuracyUSec"))

    @property
    def triggered(self) -> dt.datetime | None:
        """When the timer looked last, UTC; None where it has not yet."""
        return moment(self._one("timer", "LastTriggerUSec"))

    def silent_for(self, up_for: dt.timedelta) -> dt.timedelta:
        """How long ago it looked last; where it has not yet, for how long it could have, on a node that is up for so long.

        A timer that is not persistent forgets its last look when it is started again.
        """
        now, started = dt.datetime.now(dt.UTC), moment(self._one("timer", "ActiveEnterTimestamp"))
        if self.triggered:
            return now - max(self.triggered, self._begun or self.triggered)
        return min(up_for, now - started) if started else up_for

    @property
    def _begun(self) -> dt.datetime | None:
        """When its service ran last, where the timer counts from that: it waits anew when somebody else has started it."""
        return moment(self._one("service", "InactiveExitTimestamp")) if self._after("OnUnitActive") else None

    @property
    def condition(self) -> Command:
        """What says whether a renewal is due."""
        return Command.of(self._one("service", "ExecCondition"))

    @property
    def command(self) -> Command:
        """What renews."""
        return Command.of(self._one("service", "ExecStart"))

    @property
    def afterwards(self) -> tuple[str, ...]:
        """What is done after a renewal."""
        return tuple(Command.of(text).argv for text in self.facts["service"].get("ExecStartPost", ()))

    @property
    def result(self) -> str:
        """What came of its last run: success, exec-condition (not due), exit-code, …"""
        return self._one("service", "Result")

    @property
    def environment(self) -> dict[str, str]:
        """Those variables that say what is renewed, and when."""
        words = " ".join(self.facts["service"].get("Environment", ())).split()
        return dict(word.partition("=")[::2] for word in words)

    @property
    def user(self) -> str:
        """Whose it runs as."""
        return self._one("service", "User") or "root"

    def _after(self, kind: str) -> dt.timedelta | None:
        lines = " ".join(self.facts["timer"].get("TimersMonotonic", ()))
        found = {match[1]: span(match[2]) for match in _MONOTONIC.finditer(lines)}
        return found.get(kind)

    def _one(self, kind: str, key: str) -> str:
        return str((self.facts[kind].get(key) or [""])[0])


def span(text: str) -> dt.timedelta:
    """A span as systemd writes it: 1min 30s, 5s, 1us; 0."""
    return dt.timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(text)))


def moment(text: str) -> dt.datetime | None:
    """A moment as systemctl writes it where it is UTC: Sat 2026-11-21 23:37:48 UTC; None where it writes none."""
    return dt.datetime.strptime(text[4:], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=dt.UTC) if text[4:] else None
