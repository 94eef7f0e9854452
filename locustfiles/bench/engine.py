"""For `make bench-load`: one page, by users on the engine."""

from __future__ import annotations

import itertools
import os
import random

from locust import task

from locustfiles.engine.request import Script, Settings, get
from locustfiles.engine.user import EngineUser

PAUSE = tuple(map(int, os.environ.get("BENCH_PAUSE", "").split()))
"""Milliseconds between which a pause is chosen."""
PAGE = get(os.environ["BENCH_URL"], "page")


class Reader(EngineUser):
    """Asks for the page, again and again."""

    settings = Settings(
        protocol="h2" if os.environ.get("BENCH_PROTOCOL") == "h2" else "http/1.1",
        connections="new" if os.environ.get("BENCH_NEW") else "kept",
        ca=os.environ.get("BENCH_CA", ""),
    )

    def wait_time(self) -> float:
        """Seconds between two scripts; without BENCH_PAUSE there is only one."""
        return random.randint(*PAUSE) / 1000

    @task
    def page(self) -> Script:
        """One page after the other; the page once, where a pause is to follow."""
        yield PAGE if PAUSE else itertools.repeat(PAGE)
