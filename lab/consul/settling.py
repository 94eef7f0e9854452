"""The first steps of the lab's Consul, and waiting until all of it is well. A second time changes nothing."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from lab import machine
from lab.consul import acl
from lab.consul.kept import MANAGEMENT, Kept
from lab.errors import LabError
from plumbline import curl
from plumbline.bed import Bed
from plumbline.bed.consul import Consul

_LIMIT = 5.0
_AGAIN = 0.1
_PATIENCE = 5.0


class _NotYet(Exception):
    """Something that is still to come about."""


def settled(bed: Bed, consul: Consul, kept: Kept, deadline: float) -> None:
    """Policies, tokens, members, services; LabError says what is missing at `deadline` (monotonic)."""
    api, asked = _Api(bed, consul, kept), consul.servers[0]
    _until(deadline, asked, api.bootstrap)
    for name, rules in acl.policies(consul).items():
        _until(deadline, asked, partial(api.policy, name, rules))
    for token in acl.tokens(consul):
        _until(deadline, asked, partial(api.token, token))
    _until(deadline, asked, partial(_begin, bed, consul, api, time.monotonic() + _PATIENCE))
    _until(deadline, asked, api.well)


def _begin(bed: Bed, consul: Consul, api: _Api, patience: float) -> None:
    """Clients ask for their certificates ever more rarely while their tokens are not there: late ones begin anew.

    They are late who are not there at `patience` (monotonic), as far as a server says so.
    """
    waiting = sorted(set(consul.clients) - api.alive())
    if waiting and time.monotonic() < patience:
        raise _NotYet(f"not alive: {', '.join(waiting)}")
    for node in waiting:
        machine.run(bed.bed, node, ["systemctl", "--no-block", "restart", "consul"])


def _until(deadline: float, asked: str, step: Callable[[], None]) -> None:
    while True:
        try:
            step()
            return
        except _NotYet as why:
            if time.monotonic() > deadline:
                raise LabError(f"Consul is not well: {why}", remedy=f"python -m lab logs {asked} consul") from None
        time.sleep(_AGAIN)


class _Api:
    """Consul's API as its administrator, asked on a server of it."""

    def __init__(self, bed: Bed, consul: Consul, kept: Kept) -> None:
        self.bed, self.consul, self.kept = bed, consul, kept

    def bootstrap(self) -> None:
        """Makes the token that may do everything, where there is none."""
        status, said = self._ask("PUT", "/v1/acl/bootstrap", {"BootstrapSecret": self.kept.token(MANAGEMENT)}, False)
        if status == 200 or (status == 403 and "no longer allowed" in str(said)):
            return
        raise _NotYet(f"ACL bootstrap: {status} {said}")

    def policy(self, name: str, rules: str) -> None:
        """A policy with these rules."""
        status, found = self._ask("GET", f"/v1/acl/policy/name/{name}")
        if status == 200 and found["Rules"] == rules:
            return
        place = f"/v1/acl/policy/{found['ID']}" if status == 200 else "/v1/acl/policy"
        self._put(place, {"Name": name, "Rules": rules})

    def token(self, token: acl.Token) -> None:
        """A token, where it is not there yet."""
        if self._ask("GET", f"/v1/acl/token/{token.accessor}")[0] == 200:
            return
        secret = {"AccessorID": token.accessor, "SecretID": self.kept.token(token.name)}
        self._put("/v1/acl/token", {**secret, "Description": f"plumbline: {token.name}", **token.may})

    def alive(self) -> set[str]:
        """The members that are alive."""
        status, members = self._ask("GET", "/v1/agent/members")
        if status != 200:
            raise _NotYet(f"members: {status} {members}")
        return {member["Name"] for member in members if member["Status"] == 1}

    def well(self) -> None:
        """Every node is a member, every instance of a service is there, and every check passes."""
        if missing := set(self.consul.nodes) - self.alive():
            raise _NotYet(f"not alive: {', '.join(sorted(missing))}")
        status, checks = self._ask("GET", "/v1/health/state/any")
        if status != 200:
            raise _NotYet(f"health: {status} {checks}")
        seen = {check["ServiceID"] for check in checks}
        if missing := {id for id, _, _ in self.consul.instances()} - seen:
            raise _NotYet(f"not registered: {', '.join(sorted(missing))}")
        if bad := [check for check in checks if check["Status"] != "passing"]:
            raise _NotYet(f"{bad[0]['Node']}, {bad[0]['Name']}: {bad[0]['Status']}: {bad[0]['Output'].strip()}")

    def _put(self, path: str, body: dict[str, Any]) -> None:
        status, said = self._ask("PUT", path, body)
        if status != 200:
            raise _NotYet(f"{path}: {status} {said}")

    def _ask(self, method: str, path: str, body: Any = None, known: bool = True) -> tuple[int, Any]:
        http, node = self.consul.server.http, self.consul.servers[0]
        host = self.bed.nodes[node].oobi if "oobi" in http.on else "127.0.0.1"
        headers = {"X-Consul-Token": self.kept.token(MANAGEMENT)} if known else {}
        text = curl.request(method, f"http://{host}:{http.port}{path}", body, headers=headers, limit=_LIMIT)
        try:
            done = machine.run(self.bed.bed, node, curl.COMMAND, input=text, timeout=_LIMIT + 2)
        except subprocess.TimeoutExpired:
            raise _NotYet(f"{path}: no answer") from None
        if done.returncode != 0:
            raise _NotYet(f"{path}: {done.stderr.strip()}")
        return curl.answer(done.stdout)
