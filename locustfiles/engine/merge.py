"""The engine's rows become Locust's statistics: what its terminal, web page, CSV and HTML files show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from locust.stats import StatsEntry, StatsError

from locustfiles.engine.tally import Counted
from plumbline.load.histogram import Histogram

if TYPE_CHECKING:
    from locust.stats import RequestStats


def merge(stats: RequestStats, rows: Iterable[Counted]) -> None:
    """Adds rows to the statistics, one entry a row and not one a request.

    Keys of the histogram are milliseconds, to 0.01 below 10. Failed requests are counted and have no time, so that a
    refusal, which is quick, does not flatter the percentiles. Phases are entries of their own, whose type is the name of
    the phase; they are not in the total.
    """
    for row in rows:
        entry = _entry(stats, row.name, row.method, row.second, row.total)
        failed = sum(row.failures.values())
        entry.num_requests += failed
        entry.num_none_requests = entry.num_failures = failed
        entry.num_reqs_per_sec[row.second] += failed
        if failed:
            entry.num_fail_per_sec[row.second] = failed
        entry.total_content_length = row.size
        stats.entries[row.name, row.method].extend(entry)
        stats.total.extend(entry)
        for phase, histogram in row.phases.items():
            stats.entries[row.name, phase].extend(_entry(stats, row.name, phase, row.second, histogram))
        for failure, number in row.failures.items():
            _add_failure(stats, row, failure, number)


def _entry(stats: RequestStats, name: str, method: str, second: int, times: Histogram) -> StatsEntry:
    entry = StatsEntry(stats, name, method)
    entry.start_time = second
    entry.last_request_timestamp = second + 1
    entry.num_requests = times.count
    entry.num_reqs_per_sec[second] = times.count
    entry.total_response_time = times.total / 1000
    entry.response_times = {key / 1000: number for key, number in times.counts.items()}
    if times.counts:
        entry.min_response_time, entry.max_response_time = times.least / 1000, times.largest / 1000
    return entry


def _add_failure(stats: RequestStats, row: Counted, failure: str, number: int) -> None:
    key = StatsError.create_key(row.method, row.name, failure)
    known = stats.errors.get(key)
    if known is None:
        known = stats.errors[key] = StatsError(row.method, row.name, failure, first_seen=row.second)
    known.occurrences += number
    known.last_seen = row.second
