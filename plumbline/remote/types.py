"""Words that all parts of the node's program share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

OK = "ok"
REFUSED = "refused"
UNREACHABLE = "unreachable"
TIMEOUT = "timeout"
RUBBISH = "rubbish"
TOO_BIG = "too-big"
ERROR = "error"


@dataclass(frozen=True)
class Probe:
    """A question to the network: `netns` is "host" or the UID of a pod, `timeout` is in seconds."""

    id: str
    kind: str
    args: Json
    netns: str = "host"
    timeout: float = 3.0
    during: str = ""

    @classmethod
    def of(cls, data: Json) -> Probe:
        """The probe that a request describes."""
        return cls(
            data["id"],
            data["kind"],
            data.get("args", {}),
            data.get("netns", "host"),
            float(data.get("timeout", 3.0)),
            data.get("during", ""),
        )


@dataclass(frozen=True)
class Answer:
    """What came of a probe; `facts` are those of its kind."""

    outcome: str
    error: str | None = None
    facts: Json = field(default_factory=dict)


def failure(error: OSError) -> str:
    """The outcome that an operating system error stands for."""
    if isinstance(error, TimeoutError):
        return TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return REFUSED
    if isinstance(error, ConnectionError):
        return RUBBISH
    name = _NAMES.get(error.errno or 0)
    return name or ERROR


_NAMES = {
    1: REFUSED,  # EPERM: a local firewall
    13: REFUSED,  # EACCES: administratively prohibited
    90: TOO_BIG,  # EMSGSIZE
    92: REFUSED,  # ENOPROTOOPT: ICMP protocol unreachable
    100: UNREACHABLE,  # ENETDOWN
    101: UNREACHABLE,  # ENETUNREACH
    110: TIMEOUT,  # ETIMEDOUT
    111: REFUSED,  # ECONNREFUSED
    112: UNREACHABLE,  # EHOSTDOWN
    113: UNREACHABLE,  # EHOSTUNREACH
}
