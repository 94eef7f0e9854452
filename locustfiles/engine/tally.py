"""What has been measured since the last batch: by second and name, as plain lists that are counted once a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from plumbline.load.histogram import Histogram, of_microseconds

PHASES = ("connect", "tls", "first byte")
"""Parts of a request that are told apart from its total: TCP's handshake, TLS's, and the wait for the first byte."""


@dataclass(slots=True)
class Row:
    """Requests of one name that ended within one second; times in microseconds.

    `total` has those that were answered, from their planned start; `connect` and `tls` those that made a connection.
    """

    second: int
    name: str
    method: str
    total: list[int] = field(default_factory=list)
    connect: list[int] = field(default_factory=list)
    tls: list[int] = field(default_factory=list)
    first_byte: list[int] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """A row, counted: histograms by phase, and what they hold in all."""

    second: int
    name: str
    method: str
    total: Histogram
    phases: dict[str, Histogram]
    failures: dict[str, int]
    size: int

    @property
    def requests(self) -> int:
        """Answered and failed."""
        return self.total.count + sum(self.failures.values())


class Tally:
    """Rows of the batch that is being filled; all of it in the engine's thread."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}
        self._full: list[Row] = []
        self._second = 0

    def row(self, key: tuple[str, str], second: int) -> Row:
        """Where to count a request of this name and method that ended in this second of the clock (Unix time)."""
        if second != self._second:
            self._full.extend(self._rows.values())
            self._rows = {}
            self._second = second
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = Row(second, *key)
        return found

    def batch(self) -> tuple[Counted, ...]:
        """All rows since the last batch, counted; the tally begins anew."""
        rows = [*self._full, *self._rows.values()]
        self._rows, self._full = {}, []
        return tuple(_counted(row) for row in rows)


def _counted(row: Row) -> Counted:
    phases: Iterable[tuple[str, list[int]]] = zip(PHASES, (row.connect, row.tls, row.first_byte), strict=True)
    return Counted(
        row.second,
        row.name,
        row.method,
        of_microseconds(row.total),
        {phase: of_microseconds(times) for phase, times in phases if times},
        dict(row.failures),
        row.size,
    )
