"""For `make bench-load`: the same page by Locust's own FastHttpUser."""

from __future__ import annotations

import os

from locust import FastHttpUser, task

URL = os.environ["BENCH_URL"]
HEADERS = {"Connection": "close"} if os.environ.get("BENCH_NEW") else {}


class Reader(FastHttpUser):
    """Asks for the page, again and again."""

    host = URL

    @task
    def page(self) -> None:
        """One page."""
        self.client.get(URL, headers=HEADERS, name="page")
