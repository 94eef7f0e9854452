"""switch.trunk, switch.flow and switch.port: faults of the lab's switch; refused for hardware (chaos/reach.py)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from chaos.actions.words import filled
from chaos.call import ActionFailed, Arguments, Call, Named, Node, action
from chaos.reach import SWITCH
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

_NO_VLAN = 4095
"""Stands in every list of allowed VLANs, since an empty one allows all."""


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Networks = Annotated[tuple[str, ...], BeforeValidator(_several), Named("networks")]


@action("switch.trunk")
class Trunk(Arguments):
    """The VLANs that the switch lets through on a node's trunk: exactly some, or other ones more or less."""

    node: Node
    without: Networks = ()
    also: Networks = ()
    vlans: tuple[int, ...] | None = None

    def _now(self, reach: Reach) -> tuple[str, frozenset[int]]:
        said = reach.switch("ovs-vsctl", "--format=json", "--columns=name,trunks,external_ids", "list", "Port")
        for name, trunks, noted in json.loads(said)["data"]:
            if ["node", self.node] in noted[1]:
                listed = trunks[1] if isinstance(trunks, list) else [trunks]
                return str(name), frozenset(int(vlan) for vlan in listed)
        raise ActionFailed("the switch has no trunk to it", place=self.node)

    def _wanted(self, bed: Bed, now: frozenset[int]) -> frozenset[int]:
        if self.vlans is not None:
            return frozenset({*self.vlans, _NO_VLAN})
        less = {bed.networks[name].vlan for name in self.without}
        more = {bed.networks[name].vlan for name in self.also}
        return frozenset(vlan for vlan in (now - less) | more | {_NO_VLAN} if vlan is not None)

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        _, now = self._now(reach)
        return [Call("switch.trunk", {"node": self.node, "vlans": sorted(now - {_NO_VLAN})})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        port, now = self._now(reach)
        listed = ",".join(map(str, sorted(self._wanted(bed, now))))
        reach.switch("ovs-vsctl", "--timeout=20", "set", "Port", port, f"trunks=[{listed}]")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        _, now = self._now(reach)
        return now | {_NO_VLAN} == self._wanted(bed, now)


@action("switch.flow")
class Flow(Arguments):
    """OpenFlow entries of the switch, under a cookie of their own.

    Such as `priority=9,dl_vlan=$(vlan:browsers),ip,actions=mod_nw_tos:0,NORMAL`; ports are written "trunk-ucs-2".
    """

    flows: tuple[str, ...] = Field(min_length=1)
    present: bool = True

    @property
    def _cookie(self) -> str:
        return "0x" + hashlib.blake2b("\n".join(self.flows).encode(), digest_size=7).hexdigest().lstrip("0")

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        there = self._there(reach)
        if there is self.present:
            return []
        return [Call("switch.flow", {"flows": list(self.flows), "present": there})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if not self.present:
            reach.switch("ovs-ofctl", "--timeout=10", "del-flows", SWITCH, f"cookie={self._cookie}/-1")
            return
        for flow in self.flows:
            entry = f"cookie={self._cookie},{filled(bed, flow)}"
            reach.switch("ovs-ofctl", "--timeout=10", "add-flow", SWITCH, entry)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return self._there(reach) is self.present

    def _there(self, reach: Reach) -> bool:
        said = reach.switch("ovs-ofctl", "--timeout=10", "dump-flows", SWITCH, f"cookie={self._cookie}/-1")
        return said.count("cookie=") >= len(self.flows)


@action("switch.port")
class Port(Arguments):
    """A cable of a node, pulled out of the switch: that of its data NIC, or that of OOBI."""

    node: Node
    network: Literal["data", "oobi"]
    plugged: bool = False

    def cuts(self, bed: Bed) -> frozenset[str]:
        return frozenset({self.node} if self.network == "oobi" and not self.plugged else ())

    @property
    def _end(self) -> str:
        end = f"{'wire' if self.network == 'data' else 'oobi'}-{self.node}"
        if len(end) > 15:
            raise ActionFailed("the switch has another name for its port", place=self.node)
        return end

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        now = self._up(reach)
        given = {"node": self.node, "network": self.network, "plugged": now}
        return [Call("switch.port", given)] if now is not self.plugged else []

    def apply(self, bed: Bed, reach: Reach) -> None:
        reach.switch("ip", "link", "set", "dev", self._end, "up" if self.plugged else "down")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return self._up(reach) is self.plugged

    def _up(self, reach: Reach) -> bool:
        return "UP" in json.loads(reach.switch("ip", "-j", "link", "show", "dev", self._end))[0]["flags"]


@action("switch.stranger")
class Stranger(Arguments):
    """A machine that nobody knows, on a VLAN, with an address of its choice: it answers for it."""

    network: Annotated[str, Named("networks")]
    address: str = Field(description="such as $(address:ngfw@browsers)")
    present: bool = True

    @property
    def _port(self) -> str:
        return "x" + hashlib.blake2b(f"{self.network} {self.address}".encode(), digest_size=5).hexdigest()

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        given = {"network": self.network, "address": self.address}
        return [Call("switch.stranger", {**given, "present": not self.present})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if not self.present:
            reach.switch("ovs-vsctl", "--timeout=20", "--if-exists", "del-port", SWITCH, self._port)
            self._claim_back(bed, reach)
            return
        vlan = bed.networks[self.network].vlan
        tag = [f"tag={vlan}", "--", "set", "Interface", self._port, "type=internal"]
        reach.switch("ovs-vsctl", "--timeout=20", "--may-exist", "add-port", SWITCH, self._port, *tag)
        # A single address: it must not come to be the switch's way to the network.
        reach.switch("ip", "address", "replace", f"{filled(bed, self.address)}/32", "dev", self._port)
        reach.switch("ip", "link", "set", "dev", self._port, "up")

    def _claim_back(self, bed: Bed, reach: Reach) -> None:
        """Whoever the address belongs to says so: else its neighbours send to the stranger for a minute more."""
        address = filled(bed, self.address)
        network = bed.networks[self.network]
        for node, own in network.addresses.items():
            if str(own) == address and bed.nodes[node].ssh:
                reach.ask(node, ["arping", "-U", "-c", "2", "-I", f"eth1.{network.vlan}", address])
        for persona in bed.personas.values():
            if str(persona.address) == address:
                for pod in reach.pods(persona.workload):
                    reach.ask_pod(pod.node, pod.uid, ["arping", "-U", "-c", "2", "-I", "net1", address])

    def holds(self, bed: Bed, reach: Reach) -> bool:
        said = reach.switch("ip", "-j", "address", "show")
        found = [link for link in json.loads(said) if link.get("ifname") == self._port]
        if not self.present:
            return not found
        return any(a.get("local") == filled(bed, self.address) for link in found for a in link["addr_info"])
