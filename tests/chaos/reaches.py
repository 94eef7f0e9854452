"""Ways to beds that are not there: real network namespaces for nodes, a pretended API server, a switch that notes."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos.actions.objects import KINDS
from chaos.reach import LIMIT, Done, Pod, Reach
from plumbline.bed import Bed, load
from plumbline.collect.access import Access

LAB = Path(__file__).parents[2] / "inventories" / "lab.yaml"


def bed() -> Bed:
    """The bed of the lab's file; nothing of it is up."""
    return load(LAB)


class Local(Reach):
    """Nodes are namespaces of this machine, pods too; objects are kept in a table."""

    def __init__(self, bed: Bed, namespaces: Mapping[str, str], pods: Mapping[str, Pod] | None = None) -> None:
        super().__init__(bed, Access())
        self.namespaces, self.running = namespaces, pods or {}
        self.objects: dict[str, dict[str, Any]] = {}
        self.said: list[str] = []

    def ask(self, node: str, argv: Sequence[str], *, input: str = "", limit: float = LIMIT) -> Done:
        if argv[0] in ("systemctl", "systemd-run"):
            self.said.append(" ".join(argv))
            return Done(0, "", "")
        inside = ["ip", "netns", "exec", self.namespaces[node]] if self.namespaces.get(node) else []
        done = subprocess.run([*inside, *argv], input=input, capture_output=True, text=True, timeout=limit, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def ask_pod(
        self, node: str, uid: str, argv: Sequence[str], *, kinds: str = "--net", input: str = "", limit: float = LIMIT
    ) -> Done:
        return self.ask(uid, argv, input=input, limit=limit) if uid in self.namespaces else Done(44, "", "no such pod")

    def pods(self, workload: str, node: str = "") -> list[Pod]:
        return [pod for name, pod in self.running.items() if name == workload]

    def api(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json",
        query: Mapping[str, str] | None = None, missing: bool = False, exists: bool = False,
    ) -> Any:  # fmt: skip
        self.said.append(f"{method} {path}")
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects and exists:
                return None
            self.objects[path] = json.loads(json.dumps(body))
        elif method == "PATCH" and path in self.objects:
            self.objects[path] = merged(self.objects[path], body)
        elif method == "DELETE":
            return self.objects.pop(path, None)
        return self.objects.get(path)

    def keep(self, kind: str, name: str, namespace: str = "", **parts: Any) -> str:
        """Puts an object into the table; its path."""
        group, plural, _ = KINDS[kind]
        where = f"{group}/namespaces/{namespace}/{plural}" if namespace else f"{group}/{plural}"
        metadata = {"name": name, "namespace": namespace, "uid": "1", "resourceVersion": "1", "generation": 1}
        metadata |= parts.pop("metadata", {})
        self.objects[f"{where}/{name}"] = {"kind": kind, "metadata": metadata, **parts}
        return f"{where}/{name}"


def merged(under: Any, over: Any) -> Any:
    """A JSON merge patch, RFC 7386."""
    if not isinstance(over, dict):
        return over
    result = dict(under) if isinstance(under, dict) else {}
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@contextmanager
def namespace() -> Iterator[str]:
    """A network namespace with eth0 and eth1.20, whose other ends are in it too."""
    name = f"t-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    commands = [
        "link set lo up",
        "link add eth0 type veth peer name p0",
        "link add eth1.20 type veth peer name p20",
        *(f"link set {link} up" for link in ("p0", "p20", "eth0", "eth1.20")),
        "address add 172.16.0.2/16 dev eth1.20",
        "route add 10.1.0.0/16 via 172.16.0.1 dev eth1.20",
    ]
    subprocess.run(["ip", "netns", "add", name], check=True, timeout=5)
    try:
        text = "\n".join(commands)
        subprocess.run(["ip", "-n", name, "-batch", "-"], input=text, text=True, check=True, timeout=5)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, timeout=5)
