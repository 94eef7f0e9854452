"""Connections a second to server agents of the cluster (seed 002): a TCP connection for each request, over a Service.

    locust -f locustfiles/cps.py --headless --bed inventories/lab.yaml --target east-west

Each connection stays in the conntrack tables of the nodes that it crosses for two minutes after its end. The check
host.conntrack tells beforehand whether they hold what the promised rate puts into them.
"""

from __future__ import annotations

import itertools

from locust import task

from locustfiles.engine.request import Script
from locustfiles.engine.user import EngineUser
from locustfiles.target import Run, Shape

run = Run("cps")


@run.user
class Client(EngineUser):
    """A client agent: a connection, a request, an answer, an end."""

    @task
    def transactions(self) -> Script:
        """One after the other, planned ahead."""
        yield itertools.cycle(run.requests)


class TargetShape(Shape):
    """As the target says."""

    run = run
