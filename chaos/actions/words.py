"""Words of a fault file that stand for numbers of the bed: addresses, interfaces, ports."""

from __future__ import annotations

import re
from ipaddress import IPv4Interface

from chaos.call import ActionFailed
from plumbline.bed import Bed
from plumbline.bed.errors import nearest

_WORD = re.compile(r"\$\(([a-z]+):([^()]+)\)")
_KINDS = ("address", "cidr", "interface", "link", "mtu", "oobi", "port", "runner", "vlan")


def filled(bed: Bed, text: str) -> str:
    """A text with each word replaced by what the bed says.

    `$(address:ngfw@browsers)` 172.16.0.1, `$(interface:ngfw@browsers)` 172.16.0.1/16, `$(address:persona-3)` 10.1.3.2,
    `$(oobi:ucs-1)` 10.0.0.1, `$(link:browsers)` eth1.20, `$(vlan:browsers)` 20, `$(cidr:browsers)` 172.16.0.0/16,
    `$(mtu:browsers)` 9216, `$(port:postgres)` 5432, `$(runner:oobi)` 10.0.0.250. ActionFailed for what the bed lacks.
    """
    return _WORD.sub(lambda match: _value(bed, match[1], match[2]), text)


def _value(bed: Bed, kind: str, name: str) -> str:
    try:
        match kind:
            case "address" | "interface":
                owner, _, network = name.partition("@")
                if not network:
                    network = bed.personas[owner].network
                    address = bed.personas[owner].address
                else:
                    address = bed.networks[network].addresses[owner]
                prefix = bed.networks[network].cidr.prefixlen
                return str(address if kind == "address" else IPv4Interface(f"{address}/{prefix}"))
            case "oobi":
                return str(bed.nodes[name].oobi)
            case "runner":
                return str(bed.access.runner)
            case "link":
                vlan = bed.networks[name].vlan
                return f"eth1.{vlan}" if vlan is not None else "eth0"
            case "vlan":
                return str(bed.networks[name].vlan)
            case "cidr":
                return str(bed.networks[name].cidr)
            case "mtu":
                return str(bed.networks[name].mtu)
            case "port":
                return str(bed.workloads[name].port)
    except KeyError as error:
        missing = str(error.args[0])
        known = [*bed.nodes, *bed.networks, *bed.personas, *bed.workloads]
        raise ActionFailed(
            f"the bed has no {missing}", place=f"$({kind}:{name})", remedy=nearest(missing, known)
        ) from None
    raise ActionFailed("no such word", place=f"$({kind}:{name})", remedy=nearest(kind, _KINDS))
