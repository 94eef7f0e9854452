"""Real agents of Consul in one network namespace: each has an address of its own on the loopback, and no machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lab import consul, machine, programs, stepca
from lab.pki import Pki
from lab.progress import Progress
from plumbline import namespace
from plumbline.bed import Bed, load
from plumbline.collect.access import Access

NAMESPACE = f"consul-{os.getpid()}"
BED = Path(__file__).parent / "beds/consul.yaml"
Answer = TypeVar("Answer")
# In one namespace there is one loopback: each agent listens on its own address in its place.
_HERE = {
    "bed: t-consul": "bed: t-agents",
    "clients: [erenford, jast]": "clients: [jast]",
    "raft_multiplier: 2": """raft_multiplier: 1
  server: {http: {port: 8500, on: [oobi]}, https: {port: 8501, on: [oobi]}, dns: {port: 8600, on: [oobi]}}
  client: {http: {port: 8500, on: [oobi]}, dns: {port: 8600, on: [oobi]}}""",
    "on: [bettley, cargyll, dalt, erenford, jast], port: 22": "on: [jast], port: 8500",
    "host: loopback, ": "",
}


@dataclass
class Agents:
    """A bed whose agents run; `access` is what its gate shows."""

    bed: Bed
    folder: Path
    program: Path
    access: Access = field(default_factory=Access)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def config(self, node: str) -> Path:
        """The folder of an agent's configuration; its data are beside it."""
        return self.folder / node / "consul.d"

    def start(self, node: str) -> None:
        """Starts the agent of a node, which is not waited for."""
        argv = [str(self.program), "agent", f"-config-dir={self.config(node)}"]
        with (self.folder / node / "log").open("ab") as log:
            self.running[node] = subprocess.Popen(_inside(argv), stdout=log, stderr=log, env=_calm())

    def stop(self, node: str) -> None:
        """Ends the agent of a node at once."""
        self.running[node].send_signal(signal.SIGKILL)
        self.running[node].wait(10)

    def inside(self, ask: Callable[[], Answer]) -> Answer:
        """What a function says that is called in the namespace."""
        said: list[Answer] = []

        def there() -> None:
            namespace.enter(NAMESPACE)
            said.append(ask())

        thread = threading.Thread(target=there)
        thread.start()
        thread.join(60)
        return said[0]

    def run(self, bed: str, node: str, argv: Sequence[str], *, input: str = "", timeout: float = 30) -> object:
        """Stands in for `lab.machine.run`."""
        if argv[0] == "systemctl":
            self.stop(node)
            self.start(node)
            return None
        return subprocess.run(_inside(argv), input=input, capture_output=True, text=True, timeout=timeout, check=False)


@contextmanager
def agents(folder: Path, monkeypatch: Callable[[object, str, object], None]) -> Iterator[Agents]:
    """Three servers and a client, settled as the lab settles them; gone afterwards."""
    text = BED.read_text(encoding="utf-8")
    for old, new in _HERE.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / "t-agents.yaml"
    file.write_text(text, encoding="utf-8")
    made = Agents(load(file), folder, programs.ensure(["consul"])["consul"])
    assert made.bed.consul
    pki = Pki(folder / "pki")
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True, timeout=10)
    try:
        subprocess.run(["ip", "-n", NAMESPACE, "link", "set", "lo", "up"], check=True, timeout=10)
        _lay_down(made, pki)
        for node in made.bed.consul.nodes:
            address = f"{made.bed.nodes[node].oobi}/32"
            subprocess.run(["ip", "-n", NAMESPACE, "address", "add", address, "dev", "lo"], check=True, timeout=10)
            made.start(node)
        monkeypatch(machine, "run", made.run)
        told = consul.settle(made.bed, pki, folder, time.monotonic() + 60, Progress())
        made.access = Access(credentials={name: Path(path).read_text().strip() for name, path in told.items()})
        yield made
    finally:
        for node in made.running:
            made.stop(node)
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=False, timeout=10)


def _lay_down(made: Agents, pki: Pki) -> None:
    """The files that the lab would lay on the disks of nodes, below a folder for each, and their paths in them."""
    for part in (stepca, consul):
        for node, files in part.files(made.bed, pki, made.folder).items():
            own = made.folder / node
            for path, spec in files.items():
                place = own / re.sub(r"^/etc/", "", path)
                place.parent.mkdir(parents=True, exist_ok=True)
                text = spec.content if isinstance(spec.content, str) else spec.content.decode()
                place.write_text(text.replace("/etc/", f"{own}/").replace("/opt/consul", f"{own}/data"))
                place.chmod(spec.mode)


def _inside(argv: Sequence[str]) -> list[str]:
    return ["ip", "netns", "exec", NAMESPACE, *argv]


def _calm() -> dict[str, str]:
    return {**os.environ, "GOMAXPROCS": "1"}
