"""Links, addresses, routes and neighbours of the network namespace that this process is in."""

from __future__ import annotations

from typing import Any

from plumbline.remote.command import ip
from plumbline.remote.types import Json


def describe() -> Json:
    """All of them, with only the keys that a check reads."""
    links, routes, neighbours = ip("addr show", "route show table all", "neigh show")
    return {
        "links": [_link(link) for link in links if link],
        "routes": [
            _kept(r, "dst", "gateway", "dev", "prefsrc", "table", "type", "metric", "scope", "protocol")
            for r in routes
            if r.get("type") not in ("local", "broadcast") and ":" not in r.get("dst", "")
        ],
        "neighbours": [_kept(n, "dst", "dev", "lladdr", "state") for n in neighbours if ":" not in n.get("dst", "")],
    }


def _link(link: Json) -> Json:
    detail = link.get("linkinfo") or {}
    data = detail.get("info_data") or {}
    return {
        **_kept(
            link, "ifname", "ifindex", "link", "link_index", "mtu", "operstate", "address", "flags", "link_netnsid"
        ),
        "kind": detail.get("info_kind"),
        "vlan": data.get("id") if detail.get("info_kind") == "vlan" else None,
        "mode": data.get("mode"),
        "port": data.get("port"),
        "addresses": [f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", ()) if a.get("family") == "inet"],
        "dynamic": [a["local"] for a in link.get("addr_info", ()) if a.get("dynamic")],
    }


def _kept(data: dict[str, Any], *keys: str) -> Json:
    return {key: data[key] for key in keys if key in data}
