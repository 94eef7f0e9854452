"""Names asked for over UDP: the cluster's from a workload (seed 000), or Consul's from outside (seed 001).

    locust -f locustfiles/dns_queries.py --headless --bed inventories/lab.yaml --target cluster-names

Which names, and what their right answer is, is known from the bed file. A question is asked once: one that is lost, or
answered wrongly, has failed.
"""

from __future__ import annotations

import itertools
import random
import socket
from functools import partial

from locust import task

from locustfiles.calls import CallUser
from locustfiles.names import ask, questions, servers
from locustfiles.target import Run, Shape
from plumbline.bed.throughput import DNS

run = Run("dns_queries", to=(DNS,))


@run.user
class Client(CallUser):
    """Somebody who looks up one name after the other, beginning anywhere, by way of each server in turn."""

    def on_start(self) -> None:
        """A socket, and so a port, for each server."""
        super().on_start()
        sockets, asked = (
            [_connected(*server) for server in servers(run.bed, run.target)],
            questions(run.bed, run.target),
        )
        first = random.randrange(len(asked))
        self._next = zip(itertools.islice(itertools.cycle(asked), first, None), itertools.cycle(sockets))

    @task
    def name(self) -> None:
        """One name, counted under its zone."""
        question, sock = next(self._next)
        self.call(question.zone, "A", partial(ask, sock, question, self.settings.timeout))


def _connected(address: str, port: int) -> socket.socket:
    """A socket that takes answers from this server alone, and is told where nobody listens there."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((address, port))
    return sock


class TargetShape(Shape):
    """As the target says."""

    run = run
