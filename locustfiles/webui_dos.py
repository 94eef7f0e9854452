"""A web UI under attack (seed 003): those who flood it, and the one who only wants to read a page meanwhile.

    locust -f locustfiles/webui_dos.py --headless --bed inventories/lab.yaml --target webui-flood

Both ask for the same page and differ only in what the bed file says of them: many users without pause, each with a
connection for every request (`ab -c 255`) or keeping it (`ab -k`), or one user at its own pace.
"""

from __future__ import annotations

import itertools

from locust import task

from locustfiles.engine.request import Script
from locustfiles.engine.user import EngineUser
from locustfiles.target import Run, Shape

run = Run("webui_dos", headers=("Accept-Encoding: gzip, deflate",))


@run.user
class Visitor(EngineUser):
    """Somebody, or something, that asks for pages of the web UI."""

    @task
    def pages(self) -> Script:
        """One page after the other, planned ahead."""
        yield itertools.cycle(run.requests)


class TargetShape(Shape):
    """As the target says."""

    run = run
