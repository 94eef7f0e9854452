"""Nodes of a bed taken from an Ansible inventory; what the bed file says of a node itself wins."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from plumbline.bed import inventory
from plumbline.bed.errors import BedError, Problem, nearest
from plumbline.bed.tree import Tree, merge

# a host's variable → the field of a node. Every other variable, passwords among them, is not looked at.
VARIABLES = {
    "ansible_host": "oobi",
    "ansible_user": "user",
    "ansible_port": "port",
    "role": "role",
    "kubernetes": "kubernetes",
    "trunk": "trunk",
    "node_labels": "labels",
    "labels": "labels",
}


def nodes_of(tree: Tree, problems: list[Problem]) -> Tree:
    """`tree` with the hosts of its inventory (hosts: {ansible: path}) put under its own nodes."""
    hosts = tree.child("hosts")
    path = hosts.child("ansible") if hosts else None
    if hosts is None or path is None or not isinstance(path.value, str):
        return tree
    file = Path(path.spot.file).parent / path.value
    if not file.exists():
        beside = [other.name for other in file.parent.glob("*")] if file.parent.is_dir() else []
        raise BedError.one(
            path.spot, "hosts.ansible", "an inventory file or folder", f'"{path.value}"', nearest(file.name, beside)
        )
    known = inventory.read(file)
    nodes: dict[str, Tree] = {}
    for host in sorted(_wanted(known, hosts, problems)):
        fields = _fields(host, known, problems)
        for group, item in _below(hosts, "groups"):
            if host in known.members(group):
                fields = merge(fields, item)
        nodes[host] = fields
    return merge(Tree({"nodes": Tree(nodes, path.spot, path.key)}, tree.spot, tree.key), tree)


def _wanted(known: inventory.Inventory, hosts: Tree, problems: list[Problem]) -> set[str]:
    """The hosts of the groups that `only` names; without it, of all groups."""
    only = hosts.child("only")
    named = [item for _, item in only.items()] if only else []
    groups = [*known.groups, "all"]
    for path, name, spot in [
        *(("hosts.only", item.value, item.spot) for item in named),
        *(("hosts.groups", name, item.key) for name, item in _below(hosts, "groups")),
    ]:
        if name not in groups:
            problems.append(Problem(spot, path, "a group of the inventory", f'"{name}"', nearest(str(name), groups)))
    members = [known.members(str(item.value)) for item in named]
    return set().union(*members) if named else set(known.hosts)


def _fields(host: str, known: inventory.Inventory, problems: list[Problem]) -> Tree:
    spot = known.spot(host)
    fields: dict[str, Tree] = {}
    for name, item in known.variables(host).items():
        field = VARIABLES.get(name)
        if field is None or item.value is None:
            continue
        if isinstance(item.value, str) and "{{" in item.value:
            found = f"a template in the variable {name}"
            problems.append(
                Problem(
                    item.spot,
                    f"nodes.{host}.{field}",
                    "a value",
                    found,
                    "set it in the bed file, or save what ansible-inventory --list --yaml prints",
                )
            )
            continue
        fields[field] = _labels(item) if field == "labels" else item
    if "oobi" not in fields and _is_address(host):
        fields["oobi"] = Tree(host, spot, spot)
    return Tree(fields, spot, spot)


def _labels(item: Tree) -> Tree:
    """Labels as a mapping of texts, also where the inventory lists them as name=value."""
    found: dict[str, Tree] = {}
    for key, value in item.items():
        text = str(value.value).lower() if isinstance(value.value, bool) else str(value.value)
        name, _, part = text.partition("=")
        in_list = isinstance(item.value, list)
        found[name if in_list else key] = Tree(part if in_list else text, value.spot, value.key)
    return Tree(found, item.spot, item.key) if isinstance(item.value, dict | list) else item


def _below(hosts: Tree, key: str) -> list[tuple[str, Tree]]:
    child = hosts.child(key)
    return list(child.items()) if child else []


def _is_address(text: str) -> bool:
    try:
        return bool(IPv4Address(text))
    except (AddressValueError, ValueError):
        return False
