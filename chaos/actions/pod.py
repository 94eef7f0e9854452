"""pod.process, pod.attach and pod.announced: programs of pods, the VLAN of their net1, what is announced of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from chaos.actions.objects import path_of
from chaos.actions.place import Commanded, Commands, InPod, Place
from chaos.call import JSON, ActionFailed, Arguments, Call, Network, Workload, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

_STATUS = "k8s.v1.cni.cncf.io/network-status"
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

    def apply(self, bed: Bed, reach: Reach) -> None:
        for place in self.places(bed, reach):
            self._script(place, self.signal)

    def back(self, bed: Bed, place: Place) -> list[Call]:
        if self.signal == "KILL":
            return [Call("kubernetes.renew", {"workload": self.workload, "on": place.node})]
        if self.is_so(bed, place):
            return []  # somebody has stopped it before: it is theirs to go on
        other = "CONT" if self.signal == "STOP" else "STOP"
        return [self.call(place, signal=other, program=self.program or None)]

    def is_so(self, bed: Bed, place: Place) -> bool:
        if self.signal == "KILL":
            return True  # the kubelet has long started it again
        states = self._script(place, "state").split()
        return not states or ("T" in states) is (self.signal == "STOP")

    def _script(self, place: Place, signal: str) -> str:
        return place.reach.ask(place.node, ["sh", "-c", _SIGNAL, "signal", place.uid, signal, self.program]).out


# net1 made anew on another interface of the node, with the address, MTU and routes that it had. $1 UID, $2 interface.
_MOVE = r"""
set -e
uid=$(printf %s "$1" | sed 's/-/[-_]/g')
pid=$(grep -lE "pod$uid" /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3 | sort -n | head -1)
[ -n "$pid" ] || exit 44
in="nsenter --target $pid --net --"
mac=$($in ip -o link show dev net1 | sed 's/.*link.ether \([^ ]*\).*/\1/')
mtu=$($in ip -o link show dev net1 | sed 's/.* mtu \([0-9]*\).*/\1/')
addresses=$($in ip -o -4 address show dev net1 | awk '{print $4}')
routes=$($in ip route show dev net1 | grep -v 'proto kernel')
$in ip link delete net1
ip link add link "$2" name plumb-net1 address "$mac" mtu "$mtu" type macvlan mode bridge
ip link set plumb-net1 netns "$pid"
$in ip link set plumb-net1 name net1
for address in $addresses; do $in ip address add "$address" dev net1; done
$in ip link set net1 up
printf '%s\n' "$routes" | while read -r route; do [ -z "$route" ] || $in ip route replace $route dev net1; done
"""


@action("pod.attach")
class PodAttach(InPod):
    """net1 of a pod on the interface of another VLAN, with all else as it was."""

    network: Network

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        attach = bed.workloads[self.workload].attach
        if not attach:
            raise ActionFailed("it has no net1", place=self.workload)
        network = bed.attachments[attach].network
        return [Call("pod.attach", {**place.arguments, "network": network}) for place in self.places(bed, reach)]

    def apply(self, bed: Bed, reach: Reach) -> None:
        for place in self.places(bed, reach):
            if place.gone() or self._is_so(bed, place):
                continue
            done = reach.ask(place.node, ["sh", "-c", _MOVE, "move", place.uid, self._link(bed)])
            if done.code != 0:
                raise ActionFailed(f"net1 cannot be moved: {done.err.strip()[-200:]}", place=self.workload)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return all(place.gone() or self._is_so(bed, place) for place in self.places(bed, reach))

    def _link(self, bed: Bed) -> str:
        return f"eth1.{bed.networks[self.network].vlan}"

    def _is_so(self, bed: Bed, place: Place) -> bool:
        found = place.told("link", "show", "dev", "net1")
        index = place.reach.ask(place.node, ["cat", f"/sys/class/net/{self._link(bed)}/ifindex"]).out.strip()
        return bool(found) and str(found[0].get("link_index")) == index


@action("pod.announced")
class PodAnnounced(Arguments):
    """What the network-status annotation of a workload's first pod says of net1: another address or MAC, or nothing."""

    workload: Workload
    address: str | None = None
    mac: str | None = None
    present: bool = True

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        identity, text = self._now(reach)
        return [Call("kubernetes.patch", {**identity, "patch": {"metadata": {"annotations": {_STATUS: text}}}})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        identity, text = self._now(reach)
        patch = {"metadata": {"annotations": {_STATUS: json.dumps(self._wanted(text))}}}
        reach.patch(path_of(**identity), patch)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        _, text = self._now(reach)
        return bool(json.loads(text) == self._wanted(text))

    def _wanted(self, text: str) -> list[dict[str, JSON]]:
        entries: list[dict[str, JSON]] = json.loads(text)
        if not self.present:
            return [entry for entry in entries if entry.get("interface") != "net1"]
        new = {**({"ips": [self.address]} if self.address else {}), **({"mac": self.mac} if self.mac else {})}
        return [{**entry, **new} if entry.get("interface") == "net1" else entry for entry in entries]

    def _now(self, reach: Reach) -> tuple[dict[str, str], str]:
        pods = reach.pods(self.workload)
        if not pods:
            raise ActionFailed("no pod of it is running", place=self.workload)
        identity = {"kind": "Pod", "namespace": pods[0].namespace, "name": pods[0].name}
        found = reach.get(path_of(**identity)) or {"metadata": {}}
        return identity, (found["metadata"].get("annotations") or {}).get(_STATUS, "[]")
