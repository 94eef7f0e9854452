"""Writes and reads of keys by way of each server of Consul (seed 001), or of Vault, as services do that keep state there.

    locust -f locustfiles/control_plane.py --headless --bed inventories/lab.yaml --target consul-keys
    locust -f locustfiles/control_plane.py --headless --bed inventories/lab.yaml --target vault-keys

It is done with the gate's own rights, below its own folder, and all of it is gone at the end.
"""

from __future__ import annotations

import itertools
import json
import logging
import secrets
from typing import Any

from locust import events, task

from locustfiles.engine.request import Request, Script
from locustfiles.engine.user import EngineUser
from locustfiles.origins import Origin
from locustfiles.rights import NoAnswer
from locustfiles.target import Run, Shape
from plumbline.bed.throughput import CONSUL, VAULT
from plumbline.collect.consul import FOLDER

KEYS = f"/v1/kv/{FOLDER}load/"
"""Of Consul; where those of Vault are, the bed file says (vault.load)."""
DONE = frozenset({200, 204})
"""Statuses by which a server says that it has done it: a standby that sends elsewhere (307) has not."""
_NONE = 404
run = Run("control_plane", to=(CONSUL, VAULT))
_log = logging.getLogger(__name__)


def of_consul(server: Origin, name: str, value: str) -> tuple[Request, Request]:
    """A key is written, and read as all servers agree on it (`?consistent`)."""
    url, headers = f"{server.url}{KEYS}{name}", run.rights.headers
    write = Request("PUT", url, "write", headers, value.encode(), DONE)
    return write, Request("GET", f"{url}?raw&consistent", "read", headers, statuses=DONE)


def of_vault(server: Origin, name: str, value: str) -> tuple[Request, Request]:
    """A value is written, which a standby hands on, and read, which it may do by itself."""
    assert run.bed.vault is not None
    url, headers = f"{server.url}/v1/{run.bed.vault.load_paths()[0]}{name}", run.rights.headers
    write = Request("POST", url, "write", headers, json.dumps({"data": {"value": value}}).encode(), DONE)
    return write, Request("GET", url, "read", headers, statuses=DONE)


@run.user
class Service(EngineUser):
    """A service with a key of its own, which it writes and reads again."""

    @task
    def state(self) -> Script:
        """By way of each server in turn."""
        name, value = secrets.token_hex(8), secrets.token_hex(64)
        of = of_consul if run.target.to == CONSUL else of_vault
        yield itertools.cycle(itertools.chain.from_iterable(of(server, name, value) for server in run.asked))


@events.quit.add_listener
def clean(**_: Any) -> None:
    """The engines have ended: no key is written any more, and those that were are removed."""
    if not run.asked:
        return
    keys, said = not run.is_worker, ""
    for server in run.asked:
        try:
            clean_vault(server, keys=keys) if run.target.to == VAULT else clean_consul(server, keys=keys)
        except NoAnswer as error:
            said = str(error)
        else:
            return
    _log.error("what was written may be left in the gate's own folder until the next run has ended: %s", said)


def clean_consul(server: Origin, *, keys: bool) -> None:
    """Removes all keys, where this process is to. NoAnswer where it cannot."""
    if keys:
        _done(run.rights.ask(server, "DELETE", f"{KEYS}?recurse"))


def clean_vault(server: Origin, *, keys: bool) -> None:
    """Removes all keys with all that Vault knows of them, and gives the token back. NoAnswer where it cannot."""
    assert run.bed.vault is not None
    metadata = f"/v1/{run.bed.vault.load_paths()[1]}"
    if keys:
        status, told = run.rights.ask(server, "GET", f"{metadata}?list=true")
        if status != _NONE:
            _done((status, told))
        for name in told["data"]["keys"] if status != _NONE else ():
            _done(run.rights.ask(server, "DELETE", f"{metadata}{name}"))
    _done(run.rights.ask(server, "POST", "/v1/auth/token/revoke-self"))


def _done(answer: tuple[int, Any]) -> None:
    if answer[0] not in DONE:
        raise NoAnswer(f"status {answer[0]}")


class TargetShape(Shape):
    """As the target says."""

    run = run
