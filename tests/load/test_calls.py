"""The time of a call: that of whoever waits for it, or what the call itself knows better."""

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


def test_a_page_takes_as_long_as_the_browser_says() -> None:
    assert said(PAGE) == ["0.125"]
