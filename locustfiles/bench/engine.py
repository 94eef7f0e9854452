"""For `make bench-load`: one page, by users on the engine."""

from __future__ import annotations

import itertools
import os

from locust import task

from locustfiles.engine.request import Script, Settings, get
from locustfiles.engine.user import EngineUser

PAGE = get(os.environ["BENCH_URL"], "page")


class Reader(EngineUser):
    """Asks for the page, again and again."""

    settings = Settings(
        protocol="h2" if os.environ.get("BENCH_PROTOCOL") == "h2" else "http/1.1",
        connections="new" if os.environ.get("BENCH_NEW") else "kept",
        ca=os.environ.get("BENCH_CA", ""),
    )

    @task
    def page(self) -> Script:
        """One page after the other."""
        yield itertools.repeat(PAGE)
