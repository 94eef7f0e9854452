"""Ansible inventories as far as a bed needs them: YAML or INI, groups, children, ranges, group_vars and host_vars."""

from __future__ import annotations

import ast
import re
import shlex
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from plumbline.bed.errors import BedError, Spot
from plumbline.bed.text import read_text, shown_path
from plumbline.bed.tree import Tree, parse

_RANGE = re.compile(r"\[(\w+):(\w+)(?::(\d+))?\]")
_SECTION = re.compile(r"\[([^:\]]+)(?::(vars|children|hosts))?\]\s*([#;].*)?$")
_MOST_HOSTS = 4096
_LEFT_OUT = {".cfg", ".retry", ".pyc", ".bak", ".orig", ".swp", ".md"}
Variables = dict[str, Tree]


@dataclass
class Group:
    """A group of hosts: its own hosts with the place of their line, its child groups, its variables."""

    hosts: dict[str, Spot] = field(default_factory=dict)
    children: set[str] = field(default_factory=set)
    variables: Variables = field(default_factory=dict)


@dataclass
class Inventory:
    """What the files of an inventory say; `folders` is where group_vars and host_vars are sought."""

    groups: dict[str, Group] = field(default_factory=dict)
    hosts: dict[str, Variables] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group())

    def place(self, host: str, group: str, spot: Spot, variables: Variables) -> None:
        self.group(group).hosts.setdefault(host, spot)
        self.hosts.setdefault(host, {}).update(variables)

    def members(self, group: str, seen: frozenset[str] = frozenset()) -> set[str]:
        """Hosts of a group and of the groups below it; `all` holds every host."""
        if group == "all":
            return set(self.hosts)
        known = self.groups.get(group)
        if known is None or group in seen:
            return set()
        below = [self.members(child, seen | {group}) for child in known.children]
        return set(known.hosts).union(*below)

    def spot(self, host: str) -> Spot:
        return next(group.hosts[host] for group in self.groups.values() if host in group.hosts)

    def variables(self, host: str) -> Variables:
        """A host's variables by Ansible's precedence: all, parents, children, the host; files win over lines."""
        groups = sorted((name for name in self.groups if name != "all" and host in self.members(name)), key=self._order)
        merged: Variables = {}
        for names in (["all"], groups):
            for name in names:
                merged.update(self.groups[name].variables if name in self.groups else {})
            for name in names:
                merged.update(self._files("group_vars", name))
        return merged | self.hosts.get(host, {}) | self._files("host_vars", host)

    def _order(self, group: str) -> tuple[int, int, str]:
        priority = self.groups[group].variables.get("ansible_group_priority")
        order = priority.value if priority and isinstance(priority.value, int) else 1
        return self._depth(group, frozenset()), order, group

    def _depth(self, group: str, seen: frozenset[str]) -> int:
        parents = [name for name, other in self.groups.items() if group in other.children and name not in seen]
        return 1 + max((self._depth(name, seen | {group}) for name in parents), default=0)

    def _files(self, kind: str, name: str) -> Variables:
        found: Variables = {}
        for folder in dict.fromkeys(self.folders):
            base = folder / kind / name
            files = sorted(p for p in base.rglob("*") if p.is_file()) if base.is_dir() else [base]
            for file in [*files, *(base.with_name(name + ending) for ending in (".yml", ".yaml", ".json"))]:
                if file.is_file() and not (text := read_text(file)).startswith("$ANSIBLE_VAULT"):
                    tree, _ = parse(text, shown_path(file), foreign=True)
                    found.update(dict(tree.items()) if tree else {})
        return found


def read(path: Path) -> Inventory:
    """An inventory from a file, or from all files of a folder; BedError where it cannot be read."""
    inventory = Inventory()
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.is_file() and file.suffix not in _LEFT_OUT and not file.name.startswith("."):
                _read_file(file, inventory)
        inventory.folders.append(path)
    else:
        _read_file(path, inventory)
        inventory.folders.append(path.parent)
    return inventory


def _read_file(path: Path, inventory: Inventory) -> None:
    text, shown = read_text(path), shown_path(path)
    if text.startswith("#!"):
        raise BedError.one(
            Spot(shown, 1, 1),
            expected="an inventory file",
            found="a program",
            hint="save what it prints: ansible-inventory --list --yaml",
        )
    looks_like_yaml = path.suffix != ".ini" and text.lstrip().startswith(("---", "{", "all:"))
    if path.suffix in (".yaml", ".yml", ".json") or looks_like_yaml:
        tree, _ = parse(text, shown, foreign=True)
        for name, group in tree.items() if tree else ():
            _yaml_group(name, group, inventory)
    else:
        _ini(text, shown, inventory)


def _yaml_group(name: str, tree: Tree, inventory: Inventory) -> None:
    group = inventory.group(name)
    for part, section in tree.items():
        if part == "vars":
            group.variables.update(section.items())
        elif part == "hosts":
            hosts = section.items() if isinstance(section.value, dict) else [(str(section.value), section)]
            for pattern, item in hosts:
                for host in expand_hosts(pattern, item.key):
                    inventory.place(host, name, item.key, dict(item.items()))
        elif part == "children":
            for child, item in section.items():
                group.children.add(child)
                _yaml_group(child, item, inventory)


def _ini(text: str, shown: str, inventory: Inventory) -> None:
    name, kind = "ungrouped", "hosts"
    for number, line in enumerate(text.splitlines(), 1):
        spot, stripped = Spot(shown, number, 1), line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if section := _SECTION.match(stripped):
            name, kind = section[1], section[2] or "hosts"
            inventory.group(name)
        elif kind == "children":
            inventory.group(name).children.add(stripped.split()[0])
        elif kind == "vars":
            key, equals, value = stripped.partition("=")
            if not equals:
                raise BedError.one(spot, expected="variable=value", found="a line without =")
            inventory.group(name).variables[key.strip()] = _tree(_literal(value.strip()), spot)
        else:
            _ini_host(stripped, name, spot, inventory)


def _ini_host(line: str, group: str, spot: Spot, inventory: Inventory) -> None:
    try:
        pattern, *words = shlex.split(line, comments=True)
    except ValueError as error:
        raise BedError.one(spot, found=f"the line cannot be split into words: {error}") from None
    variables: Variables = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise BedError.one(spot, expected="variable=value after the host", found="a word without =")
        variables[key] = _tree(_literal(value), spot)
    host, colon, port = pattern.rpartition(":")
    if colon and port.isdecimal() and host.count("[") == host.count("]"):
        pattern, variables = host, {"ansible_port": _tree(int(port[:6]), spot)} | variables
    for name in expand_hosts(pattern, spot):
        inventory.place(name, group, spot, variables)


def expand_hosts(pattern: str, spot: Spot) -> Iterator[str]:
    """The hosts of a pattern: web[01:20], db[a:f], n[1:9:2]; zeros in front are kept."""
    parts: list[list[str]] = []
    last = 0
    for match in _RANGE.finditer(pattern):
        parts += [[pattern[last : match.start()]], _counted(match[1], match[2], int(match[3] or 1), spot)]
        last = match.end()
    for number, names in enumerate(product(*parts, [pattern[last:]])):
        if number >= _MOST_HOSTS:
            raise BedError.one(spot, expected=f"at most {_MOST_HOSTS} hosts on a line", found="more")
        yield "".join(names)


def _counted(first: str, last: str, step: int, spot: Spot) -> list[str]:
    letters = string.ascii_letters
    counts: range | None = None
    if first.isdecimal() and last.isdecimal() and len(last) < 7 and step:
        counts = range(int(first), int(last) + 1, step)
        made = [str(n).zfill(len(first)) for n in counts[: _MOST_HOSTS + 1]]
    elif len(first) == len(last) == 1 and first in letters and last in letters and step:
        counts = range(letters.index(first), letters.index(last) + 1, step)
        made = [letters[n] for n in counts]
    if not counts:
        raise BedError.one(spot, expected="a host range such as [01:20] or [a:f]", found=f"[{first}:{last}]")
    return made


def _literal(text: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text
    return value if isinstance(value, bool | int | float | str | list | dict | None) else text


def _tree(value: Any, spot: Spot) -> Tree:
    if isinstance(value, dict):
        return Tree({str(name): _tree(item, spot) for name, item in value.items()}, spot, spot)
    return Tree([_tree(item, spot) for item in value] if isinstance(value, list) else value, spot, spot)
