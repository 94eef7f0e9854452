"""node.unit, node.restart, node.process, node.hostname, node.fill, node.memory, node.cpu and node.clock: the machine itself."""

from __future__ import annotations

import re
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from chaos.actions.place import Commanded, Commands, OnNode, Place
from chaos.call import ActionFailed, Call, Slip, action
from plumbline.bed import Bed

_WAY_IN = ("ssh", "sshd", "ssh.service", "sshd.service", "ssh.socket", "systemd-networkd", "NetworkManager")
_FULL = "plumbline-full"
_MEMORY = "plumbline-memory"
_CLOCK = "/etc/ssh/sshd_config.d/plumbline-clock.conf"
_FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def _shown(place: Place, unit: str) -> dict[str, str]:
    keys = ("LoadState", "ActiveState", "UnitFileState", "NRestarts", "MainPID")
    done = place.ask(["systemctl", "show", "--no-pager", *(f"--property={key}" for key in keys), "--", unit])
    return dict(line.partition("=")[::2] for line in done.out.splitlines())


@action("node.unit")
class NodeUnit(OnNode, Commanded):
    """A unit of a node: started or stopped, enabled or disabled; or a unit that has failed, under a name of its own."""

    verb: ClassVar[str] = "unit"
    unit: str = Field(pattern=r"^[\w@.-]+$")
    active: bool | None = None
    enabled: bool | None = None
    failed: bool | None = Field(default=None, description="true: a new unit of this name fails; false: it is forgotten")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.active is None and self.enabled is None and self.failed is None:
            raise ValueError("one of active, enabled and failed is wanted")
        return self

    def manages(self, bed: Bed) -> bool:
        return self.unit in _WAY_IN and self.active is False

    def commands(self, bed: Bed, place: Place) -> Commands:
        made: Commands = []
        if self.enabled is not None:
            made.append(["systemctl", "--quiet", "enable" if self.enabled else "disable", self.unit])
        if self.active is not None:
            made.append(["systemctl", "start" if self.active else "stop", self.unit])
        if self.failed and not self._failed(place):
            made.append(["sh", "-c", f"systemd-run --quiet --wait --unit={self.unit} false || true"])
        if self.failed is False:
            made.append(["sh", "-c", f"systemctl reset-failed {self.unit} 2>/dev/null || true"])
        return made

    def back(self, bed: Bed, place: Place) -> list[Call]:
        was = _shown(place, self.unit)
        active, enabled = was["ActiveState"] == "active", was["UnitFileState"] == "enabled"
        return [
            self.call(
                place,
                unit=self.unit,
                active=active if self.active is not None else None,
                enabled=enabled if self.enabled is not None else None,
                failed=self._failed(place) if self.failed is not None else None,
            )
        ]

    def is_so(self, bed: Bed, place: Place) -> bool:
        now = _shown(place, self.unit)
        return (
            self.active in (None, now["ActiveState"] in ("active", "reloading"))
            and self.enabled in (None, now["UnitFileState"] == "enabled")
            and self.failed in (None, self._failed(place))
        )

    def _failed(self, place: Place) -> bool:
        return place.ask(["systemctl", "--quiet", "is-failed", self.unit]).code == 0


@action("node.restart")
class NodeRestart(OnNode, Commanded):
    """Units of a node started again; afterwards systemd counts none of their restarts."""

    verb: ClassVar[str] = "restart"
    always: ClassVar[bool] = True
    units: tuple[str, ...] = Field(min_length=1)

    def commands(self, bed: Bed, place: Place) -> Commands:
        return [["systemctl", "restart", *self.units]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return []

    def is_so(self, bed: Bed, place: Place) -> bool:
        states = [_shown(place, unit) for unit in self.units]
        return all(state["ActiveState"] == "active" and state["NRestarts"] in ("", "0") for state in states)


@action("node.process")
class NodeProcess(OnNode, Commanded):
    """The main process of a unit: stopped (it hangs), continued, or killed a number of times."""

    verb: ClassVar[str] = "process"
    unit: str = Field(pattern=r"^[\w@.-]+$")
    signal: Literal["STOP", "CONT", "KILL"]
    times: int = Field(default=1, ge=1, le=20, description="for KILL; systemd starts it again in between")

    def manages(self, bed: Bed) -> bool:
        return self.unit in _WAY_IN and self.signal == "STOP"

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        if self.unit in _WAY_IN and self.signal == "KILL":
            return [Slip(name, "unit", "the runner's own way in may be stopped, since that is guarded, not killed")]
        return []

    def commands(self, bed: Bed, place: Place) -> Commands:
        if self.signal != "KILL":
            return [["systemctl", "kill", f"--signal={self.signal}", "--kill-who=main", self.unit]]
        script = (
            'n=0; while [ $n -lt "$2" ]; do p=$(systemctl show -P MainPID "$1"); [ "$p" != 0 ] && kill -9 $p; '
            't=0; while q=$(systemctl show -P MainPID "$1"); [ "$q" = 0 ] || [ "$q" = "$p" ]; do '
            "t=$((t+1)); [ $t -gt 60 ] && exit 1; sleep 0.1; done; n=$((n+1)); done"
        )
        return [["sh", "-c", script, "kill", self.unit, str(self.times)]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        if self.signal == "KILL":
            return [Call("node.restart", {"node": self.node, "units": [self.unit]})]
        return [self.call(place, unit=self.unit, signal="CONT" if self.signal == "STOP" else "STOP")]

    def is_so(self, bed: Bed, place: Place) -> bool:
        now = _shown(place, self.unit)
        if self.signal == "KILL":
            return int(now["NRestarts"] or 0) >= self.times
        state = place.ask(["sh", "-c", f"cut -d')' -f2 /proc/{now['MainPID']}/stat"]).out.split()[:1]
        return (state == ["T"]) is (self.signal == "STOP")


@action("node.hostname")
class NodeHostname(OnNode, Commanded):
    """What a node calls itself, until its next boot."""

    verb: ClassVar[str] = "hostname"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")

    def commands(self, bed: Bed, place: Place) -> Commands:
        return [["hostname", self.name]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return [self.call(place, name=place.ask(["hostname"]).out.strip())]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return place.ask(["hostname"]).out.strip() == self.name


@action("node.fill")
class NodeFill(OnNode, Commanded):
    """No room left in a folder: a small file system, full, lies over it. What is open beneath stays open."""

    verb: ClassVar[str] = "fill"
    path: str = Field(pattern="^/[a-z/]+$")
    full: bool = True

    def commands(self, bed: Bed, place: Place) -> Commands:
        if self.is_so(bed, place):
            return []
        if not self.full:
            return [["umount", "--lazy", self.path]]
        fill = (
            f"mount -t tmpfs -o size=1m,mode=0755 {_FULL} {self.path} && head -c 1015808 /dev/zero > {self.path}/full"
        )
        return [["sh", "-c", fill]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return [self.call(place, path=self.path, full=self._there(place))]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self._there(place) is self.full

    def _there(self, place: Place) -> bool:
        done = place.ask(["findmnt", "--noheadings", "--output", "SOURCE", "--mountpoint", self.path])
        return _FULL in done.out.split()


@action("node.memory")
class NodeMemory(OnNode, Commanded):
    """So much of a node's memory is in use by a program that does nothing with it; it ends by itself after a while."""

    verb: ClassVar[str] = "memory"
    mebibytes: int = Field(ge=1, le=1_048_576)
    seconds: int = Field(default=600, ge=10, le=3600)
    used: bool = True

    def commands(self, bed: Bed, place: Place) -> Commands:
        if not self.used:
            return [["sh", "-c", f"systemctl stop {_MEMORY} 2>/dev/null || true"]]
        take = f"import time; kept = bytearray(b'x') * ({self.mebibytes} << 20); time.sleep({self.seconds})"
        start = ["systemd-run", "--quiet", "--collect", f"--unit={_MEMORY}", f"--property=RuntimeMaxSec={self.seconds}"]
        return [[*start, "--property=OOMScoreAdjust=1000", "python3", "-c", take]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return [self.call(place, mebibytes=self.mebibytes, used=self._there(place))]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self._there(place) is self.used

    def _there(self, place: Place) -> bool:
        return place.ask(["systemctl", "--quiet", "is-active", _MEMORY]).code == 0


@action("node.cpu")
class NodeCpu(OnNode, Commanded):
    """How much of one processor a unit of a node may have, in percent; 0 for as much as there is."""

    verb: ClassVar[str] = "cpu"
    unit: str = Field(pattern=r"^[\w@.-]+$")
    percent: int = Field(ge=0, le=10_000)

    def commands(self, bed: Bed, place: Place) -> Commands:
        quota = f"CPUQuota={self.percent}%" if self.percent else "CPUQuota="
        return [["systemctl", "set-property", "--runtime", "--", self.unit, quota]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return [self.call(place, unit=self.unit, percent=self._now(place))]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self._now(place) == self.percent

    def _now(self, place: Place) -> int:
        """systemd tells it as a time a second: 50ms for 5 %."""
        shown = place.ask(
            ["systemctl", "show", "--value", "--property=CPUQuotaPerSecUSec", "--", self.unit]
        ).out.strip()
        scale = {"us": 1e-4, "ms": 0.1, "s": 100.0, "min": 6000.0}
        parts = re.findall(r"([\d.]+)(us|ms|s|min)\b", shown)
        return round(sum(float(number) * scale[unit] for number, unit in parts))


@action("node.clock")
class NodeClock(OnNode, Commanded):
    """A clock that is off by some seconds.

    Nodes of a lab share their machine's clock: there only what is started over SSH is shown another time, for which
    the node needs libfaketime. On hardware the clock itself is set, and time is kept again after the undo.
    """

    verb: ClassVar[str] = "clock"
    offset: int = Field(ge=-10_000_000, le=10_000_000, description="seconds; 0 brings it back")

    def manages(self, bed: Bed) -> bool:
        return bed.realised_by == "lab"

    def commands(self, bed: Bed, place: Place) -> Commands:
        if bed.realised_by == "hardware":
            if self.offset == 0:
                return [["timedatectl", "set-ntp", "true"], ["sh", "-c", "chronyc makestep || true"]]
            set_it = f'date --set "@$(($(date +%s) + {self.offset}))"'
            return [["timedatectl", "set-ntp", "false"], ["sh", "-c", set_it]] if not self.is_so(bed, place) else []
        again = ["systemctl", "reload", "ssh"]
        if self.offset == 0:
            return [["rm", "-f", _CLOCK], again]
        if place.ask(["test", "-e", _FAKETIME]).code != 0:
            remedy = "add libfaketime to the packages of the lab's nodes"
            raise ActionFailed(f"there is no {_FAKETIME}", place=place.name, remedy=remedy)
        return [["sh", "-c", 'printf "%s\\n" "$1" > "$2"', "set", self._line, _CLOCK], again]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return [self.call(place, offset=0)] if self.offset else []

    def is_so(self, bed: Bed, place: Place) -> bool:
        if bed.realised_by == "hardware":
            return (place.ask(["timedatectl", "show", "-P", "NTP"]).out.strip() == "no") is bool(self.offset)
        return place.ask(["cat", _CLOCK]).out.strip() == (self._line if self.offset else "")

    @property
    def _line(self) -> str:
        return f"SetEnv LD_PRELOAD={_FAKETIME} FAKETIME={self.offset:+d}"


_SAY = """\
for _ in 1 2 3 4 5 6 7 8 9 10; do
  echo "<3>$1" > /dev/kmsg
  dmesg --level=err | grep -qF "$1" && exit 0
  sleep 0.5
done
exit 1
"""
"""Again until it is there: the kernel drops what many write at the same time (printk.devkmsg)."""


@action("node.kernel-message")
class KernelMessage(OnNode, Commanded):
    """A message of level error in the kernel's log. It stays there: nobody can take one out again."""

    verb: ClassVar[str] = "kernel-message"
    text: str = Field(pattern=r"^[\w .:,-]{1,80}$")

    def commands(self, bed: Bed, place: Place) -> Commands:
        return [] if self.is_so(bed, place) else [["sh", "-c", _SAY, "say", self.text]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return []

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self.text in place.ask(["dmesg", "--level=err"]).out
