"""What the agent of Consul on a node said of itself, and what lies on the disk for its next start, typed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from plumbline.outcome import Unknown

Object = dict[str, Any]
GATE = "consul-gate:token"
_DENIED = ("401", "403")
_ALONE = "primary-dc-down"
"""Whom an agent takes everybody for who asks while it can ask no server."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([\d.]+)(ms|s|m|h)")


@dataclass(frozen=True)
class Tls:
    """How a listener of an agent treats who comes, as far as the agent tells."""

    incoming: bool
    outgoing: bool
    hostname: bool
    least: str


@dataclass(frozen=True)
class Keyrings:
    """Keys of the gossip by digest: the configured one, and those of both pools."""

    configured: str
    lan: tuple[str, ...]
    wan: tuple[str, ...]


@dataclass(frozen=True)
class SecretFile:
    """A file with a key or a token in it. `open` says whether others than its owner's group can read it."""

    path: str
    owner: str
    mode: int
    open: bool


class Agent:
    """One agent; each accessor raises Unknown where that part could not be read."""

    def __init__(self, node: str, facts: Object) -> None:
        self.node, self._facts = node, facts

    @property
    def answers(self) -> bool:
        """Whether it answered on its loopback, to whomever."""
        return bool(self._facts["agent"]["outcome"] == "ok")

    @property
    def why(self) -> str:
        """What it said instead, and what it last complained of."""
        asked = self._facts["agent"]
        return "; ".join([f"{asked['outcome']}: {asked['error']}", *asked.get("said", ())])

    def status(self, who: str) -> int:
        """The HTTP status that it gave to `nobody`, or to a `stranger` with a token that was never made."""
        if not self.answers:
            raise Unknown(f"the agent of {self.node}: {self.why}", cause=f"consul-agent:{self.node}")
        status = int(self._facts["agent"]["status"][who])
        if status >= 500:
            raise Unknown(
                f"the agent of {self.node} cannot tell who asks: {status}", cause=f"consul-member:{self.node}"
            )
        return status

    @cached_property
    def self(self) -> Object:
        """What it says of itself."""
        found = self._facts["agent"]["self"]
        if found is None:
            error = str(self._facts["agent"]["error"])
            # who asks is known to servers alone, which an agent that is no member cannot ask
            alone = not denied(error) or _ALONE in error
            told = f"consul-member:{self.node}" if alone else GATE
            cause = told if self.answers else f"consul-agent:{self.node}"
            raise Unknown(f"the agent of {self.node} does not tell of itself: {self.why}", cause=cause)
        return dict(found)

    @property
    def rpc(self) -> Tls:
        """Its RPC."""
        return _tls(self.self["rpc_tls"])

    @property
    def https(self) -> Tls:
        """Its HTTPS."""
        return _tls(self.self["https_tls"])

    @property
    def keyrings(self) -> Keyrings:
        """Its keys of the gossip."""
        found = self._part("keyrings")
        return Keyrings(next(iter(found["configured"]), ""), tuple(found["lan"]), tuple(found["wan"]))

    @property
    def keeps_token(self) -> bool:
        """Whether it finds its own token again when it is started again."""
        found = self._part("tokens")
        return bool(found["configured"] or found["persisted"])

    @property
    def secret_files(self) -> tuple[SecretFile, ...]:
        """Files with a key or a token in them."""
        return tuple(
            SecretFile(path, f["owner"], f["mode"], bool(f["mode"] & 0o007) and not f["shut"])
            for path, f in self._part("files").items()
        )

    def checks(self, instance: str) -> tuple[tuple[float, float], ...]:
        """Interval and timeout (s) of each check that it makes of an instance."""
        _ = self.self
        made = [check for check in self._facts["agent"]["checks"] if check["instance"] == instance]
        return tuple((_seconds(check["interval"]), _seconds(check["timeout"])) for check in made)

    def first_states(self, instance: str) -> tuple[str, ...]:
        """The states that checks of an instance begin with, where its definition gives any."""
        return tuple(state for state in self._part("services").get(instance, ()) if state)

    @property
    def unseen_s(self) -> float | None:
        """Seconds since it last noted that it was there; None where it never did."""
        found = self._part("last_seen")
        return None if found is None else float(found)

    @property
    def elections(self) -> int:
        """How often it became the leader lately."""
        return int(self._part("elections") or 0)

    def _part(self, name: str) -> Any:
        if name not in self._facts:
            why = self._facts["errors"].get(name, "it was not read")
            raise Unknown(f"{self.node}: {name} of its Consul agent: {why}", cause=f"node:{self.node}")
        return self._facts[name]


def denied(status: int | str) -> bool:
    """Whether an HTTP status, which a text begins with, says that one may not."""
    return str(status)[:3] in _DENIED


def _seconds(text: str) -> float:
    """A duration as Go writes it, such as 1m0s."""
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))


def _tls(found: Object) -> Tls:
    return Tls(bool(found["incoming"]), bool(found["outgoing"]), bool(found["hostname"]), str(found["least"] or ""))
