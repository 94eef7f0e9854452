"""`make bench-load`: it reads what each generator prints, and tells ratios within rounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.bench.load.__main__ import as_json, main
from lab.bench.load.path import Route
from lab.bench.load.tools import TOOLS, Measured, Mode, Round

WRK = """
  Thread Stats   Avg      Stdev     Max   +/- Stdev
  Latency Distribution
     50%  391.00us
     90%    2.09ms
     99%   38.99ms
  55000 requests in 2.00s, 14.01MB read
  Socket errors: connect 0, read 3, write 0, timeout 1
Requests/sec:  27773.98
"""
H2LOAD = """
finished in 2.00s, 28084.00 req/s, 7.15MB/s
requests: 56168 total, 56188 started, 56168 done, 56168 succeeded, 0 failed, 0 errored, 0 timeout
"""
AB = """
Failed requests:        2
Requests per second:    1234.56 [#/sec] (mean)
Percentage of the requests served within a certain time (ms)
  50%      9
  99%     31
"""
LOCUST = json.dumps(
    [
        {"method": "tls", "num_reqs_per_sec": {}},
        {
            "method": "GET",
            "num_reqs_per_sec": {"10": 5, "11": 100, "12": 120, "13": 7},
            "response_times": {"0.5": 150, "9.5": 82},
            "num_failures": 1,
        },
    ]
)


@pytest.mark.parametrize(
    ("name", "text", "measured"),
    [
        ("wrk", WRK, Measured(27773.98, 0.391, 38.99, 4)),
        ("h2load", H2LOAD, Measured(28084.0)),
        ("ab", AB, Measured(1234.56, 9, 31, 2)),
        ("plumbline", "a line of a log\n" + LOCUST, Measured(110, 0.5, 9.5, 1)),
    ],
)
def test_what_a_generator_prints_is_read(tmp_path: Path, name: str, text: str, measured: Measured) -> None:
    tool = next(tool for tool in TOOLS if tool.name == name)

    assert tool.read(text, Round(Route("", "", ""), "kept", 1, 3, tmp_path)) == measured


def test_ratios_are_those_within_rounds() -> None:
    def rates(*values: float) -> dict[Mode, list[Measured]]:
        return {"kept": [Measured(value, p99=1000 / value) for value in values], "new": [], "paused": []}

    found = {"plumbline": rates(100, 10, 30), "k6": rates(50, 20, 10), "ab": rates()}
    told = as_json(found, ["ab: not installed"], started="now", route="loopback", users=20, seconds=5)

    assert told["requests_per_second"] == {"plumbline": [10, 30, 100], "k6": [10, 20, 50]}
    assert told["ratios"]["requests_per_second"] == {"k6": [0.5, 2.0, 3.0]}
    assert told["p99_ratios"]["requests_per_second"] == {"k6": [0.333, 0.5, 2.0]}
    assert (told["connections_per_second"], told["rounds"], told["notes"]) == ({}, 3, ["ab: not installed"])


def test_a_round_on_loopback_writes_its_file(tmp_path: Path) -> None:
    arguments = [
        "--rounds",
        "1",
        "--seconds",
        "3",
        "--users",
        "4",
        "--only",
        "plumbline",
        "--report-dir",
        str(tmp_path),
    ]

    assert main(arguments) == 0

    told = json.loads((tmp_path / "bench-load.json").read_text())
    assert told["requests_per_second"]["plumbline"][1] > 100
    assert told["connections_per_second"]["plumbline"][1] > 5
    assert 100 < told["paused_requests_per_second"]["plumbline"][1] < 4 / 0.001
    assert told["failed"]["requests_per_second"] == {"plumbline": [0, 0, 0]}
