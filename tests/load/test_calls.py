"""The time of a call: that of whoever waits for it, or what the call itself knows better; and what is left at the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMES = """
import gevent
from locust.env import Environment
from locustfiles.calls import Calls

calls = Calls.of(Environment())
calls._clock = 0.0
calls.measure("page", "PAGE", lambda: gevent.sleep(0.3) or 0.125)
calls.measure("job", "SBATCH", lambda: gevent.sleep(0.3))
print(*(row.total.least for row in sorted(calls._tally.batch(), key=lambda row: row.name)))
"""
LEFT = """
import time
from gevent import GreenletExit
from locust.env import Environment
from locustfiles.calls import Calls
from locustfiles.engine.model import Left
from locustfiles.record import Recorder

recorder, calls = Recorder(Environment()), Calls.of(Environment())
calls._clock = 0.0

def stopped():
    time.sleep(0.2)
    raise GreenletExit

try:
    calls.measure("page", "PAGE", stopped)
except GreenletExit:
    print(round(calls._left[0].waited, 1), sum(row.requests for row in calls._tally.batch()))
recorder._left = [Left(105.2, 4.0), Left(106.4, 1.5), Left(106.4, 0.5), Left(103.0, 2.0)]
print(*recorder.result("t", 100.0, 105.5, 5.0).unanswered.counts)
"""
PHASES = """
from locust.env import Environment
from locustfiles.record import Recorder

recorder = Recorder(Environment())
for began, ended in ((100.0, 121.0), (100.9, 122.1), (100.9, 110.2), (100.9, 100.95)):
    result = recorder.result("t", began, ended, 20.0)
    print(result.began, result.seconds)
"""
PAGE = """
from types import SimpleNamespace as Of
import locustfiles.browser as profile
from locustfiles.pages import Visit

profile.Chromium.of = lambda environment: Of(open=lambda url: Visit(1, 0.125))
print(profile.Visitor._open(Of(environment=None), "https://origin/"))
"""


def said(script: str) -> list[str]:
    """What a script printed, in a process of its own: Locust changes Python under whoever imports it."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


def test_a_call_that_knows_its_time_is_believed() -> None:
    job, page = map(int, said(TIMES))

    assert page == 125_000
    assert job >= 300_000


def test_what_had_no_answer_at_the_end_is_told_with_how_long_it_was_due() -> None:
    assert said(LEFT) == ["0.2", "0", "4000000", "600000"]


def test_a_page_takes_as_long_as_the_browser_says() -> None:
    assert said(PAGE) == ["0.125"]


def test_a_steady_phase_has_the_whole_seconds_that_were_planned_however_late_it_ends() -> None:
    assert said(PHASES) == ["100", "20", "101", "20", "101", "9", "101", "0"]
