"""Writes and reads of Consul's keys by way of each of its servers (seed 001), as services do that keep their state there.

    locust -f locustfiles/control_plane.py --headless --bed inventories/lab.yaml --target consul-keys

It is done with the gate's own rights, below its own prefix, and all keys are gone at the end.
"""

from __future__ import annotations

import itertools
import secrets
from typing import Any

import pycurl
from locust import events, task
from locust.runners import WorkerRunner

from locustfiles.engine import easy
from locustfiles.engine.request import Request, Script, get
from locustfiles.engine.user import EngineUser
from locustfiles.target import Run, Shape
from plumbline.collect.consul import CREDENTIAL, FOLDER

KEYS = f"/v1/kv/{FOLDER}load/"
run = Run("control_plane")


def token() -> tuple[str, ...]:
    """The header by which Consul knows who asks."""
    return (f"X-Consul-Token: {run.credentials[CREDENTIAL]}",)


@run.user
class Service(EngineUser):
    """A service with a key of its own, which it writes, and reads as all servers agree on it (`?consistent`)."""

    @task
    def state(self) -> Script:
        """By way of each server in turn."""
        key, value = f"{KEYS}{secrets.token_hex(8)}", secrets.token_hex(64).encode()
        each = [
            (
                Request("PUT", f"{server.url}{key}", "write", token(), value),
                get(f"{server.url}{key}?raw&consistent", "read", headers=token()),
            )
            for server in run.asked
        ]
        yield itertools.cycle(itertools.chain.from_iterable(each))


@events.quit.add_listener
def clean(environment: Any, **_: Any) -> None:
    """The engines have ended: no key is written any more, and those that were are removed."""
    if not run.asked or isinstance(environment.runner, WorkerRunner):
        return
    handle = easy.new(run.settings)
    easy.prepare(handle, Request("DELETE", f"{run.asked[0].url}{KEYS}?recurse", "clean", token()), None, bytearray())
    handle.setopt(pycurl.TIMEOUT_MS, int(run.settings.timeout * 1000))
    handle.perform()


class TargetShape(Shape):
    """As the target says."""

    run = run
