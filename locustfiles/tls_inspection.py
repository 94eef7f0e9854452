"""HTTPS through the inspecting firewall to the personas (seed 000): HTTP/1.1 or h2, kept alive or a handshake each.

    locust -f locustfiles/tls_inspection.py --headless --bed inventories/lab.yaml --target inspected-kept --ca ngfw-ca.pem

Who is asked, how, how often and for how long, and what is promised, is in the bed file.
"""

from __future__ import annotations

import itertools
import random

from locust import task

from locustfiles.engine.request import Script
from locustfiles.engine.user import EngineUser
from locustfiles.target import Run, Shape

run = Run("tls_inspection")


@run.user
class Agent(EngineUser):
    """A synthetic-load agent: it asks each persona in turn, beginning anywhere, and checks whom it talks to."""

    @task
    def pages(self) -> Script:
        """One page after the other, planned ahead: no answer changes what is asked for next."""
        first = random.randrange(len(run.requests))
        yield itertools.islice(itertools.cycle(run.requests), first, None)


class TargetShape(Shape):
    """As the target says."""

    run = run
