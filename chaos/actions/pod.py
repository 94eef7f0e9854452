"""pod.process: the programs in pods, hung or killed."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaos.actions.place import Commanded, Commands, InPod, Place
from chaos.call import Call, action
from plumbline.bed import Bed

# All processes of a pod but its oldest, which holds its namespaces. $1 UID, $2 signal, or `state`; $3 part of a command.
_SIGNAL = r"""
uid=$(printf %s "$1" | sed 's/-/[-_]/g'); signal=$2; part=$3
pids=$(grep -lE "pod$uid" /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3 | sort -n)
[ -n "$pids" ] || exit 44
for pid in $(printf '%s\n' $pids | tail -n +2); do
  tr '\0' ' ' < /proc/$pid/cmdline 2>/dev/null | grep -qF -- "$part" || continue
  case $signal in
    state) cut -d')' -f2 /proc/$pid/stat | cut -d' ' -f2;;
    *) kill -s "$signal" "$pid";;
  esac
done
"""


@action("pod.process")
class PodProcess(InPod, Commanded):
    """The programs of pods: stopped (they hang), continued, or killed, so that the kubelet starts them again."""

    verb: ClassVar[str] = "process"
    signal: Literal["STOP", "CONT", "KILL"]
    program: str = Field(default="", description="only those whose command line has this")

    def commands(self, bed: Bed, place: Place) -> Commands:
        return []

    def apply(self, bed: Bed, reach: object) -> None:
        for place in self.places(bed, reach):  # type: ignore[arg-type]
            self._script(place, self.signal)

    def back(self, bed: Bed, place: Place) -> list[Call]:
        if self.signal == "KILL":
            return [Call("kubernetes.renew", {"workload": self.workload, "on": place.node})]
        other = "CONT" if self.signal == "STOP" else "STOP"
        return [self.call(place, signal=other, program=self.program or None)]

    def is_so(self, bed: Bed, place: Place) -> bool:
        if self.signal == "KILL":
            return True  # the kubelet has long started it again
        states = self._script(place, "state").split()
        return not states or ("T" in states) is (self.signal == "STOP")

    def _script(self, place: Place, signal: str) -> str:
        return place.reach.ask(place.node, ["sh", "-c", _SIGNAL, "signal", place.uid, signal, self.program]).out
