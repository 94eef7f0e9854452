"""A stand-in for a cluster that runs pods: their commands as processes on loopback, in folders of their own."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.load.cluster import TOKEN, Answering, Object, serving

_ENDED = 30.0


@dataclass
class Pod:
    """One pod, and the process that it is."""

    made: Object
    folder: Path
    restarts: int = 0
    process: subprocess.Popen[bytes] | None = None
    told: bytes = b""
    ended: bool = False

    def run(self, words: list[str]) -> None:
        """Runs it, again where it dies and is to be started again."""
        self.folder.mkdir(exist_ok=True)
        while True:
            command = [sys.executable if word == "python3" else word for word in words]
            with subprocess.Popen(
                command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
            ) as process:
                self.process = process
                self.made["status"] = {"phase": "Running", "podIP": "127.0.0.1"}
                self.told, _ = process.communicate()
            if process.returncode == 0 or self.made["spec"]["restartPolicy"] == "Never" or self.ended:
                self.made["status"]["phase"] = "Failed" if process.returncode else "Succeeded"
                return
            self.restarts += 1

    def end(self, how: signal.Signals) -> None:
        """It is not started again."""
        self.ended = True
        self.send(how)

    def send(self, how: signal.Signals) -> None:
        """To its process, where that runs."""
        if self.process is not None and self.process.poll() is None:
            if how == signal.SIGKILL:  # with all that it has started, as whatever is in a container
                os.killpg(self.process.pid, how)
            else:
                self.process.send_signal(how)

    def connections(self) -> list[Any]:
        """Of its process, over TCP."""
        with suppress(psutil.Error):
            if self.process is not None:
                return list(psutil.Process(self.process.pid).net_connections("tcp"))
        return []


@dataclass
class Kubelet:
    """What is there, by name. `broken` is what the kubelet says of pods that it cannot start, `refused` of those it does not take."""

    folder: Path
    port: int
    kubeconfig: str = ""
    url: str = ""
    broken: str = ""
    refused: str = ""
    configmaps: dict[str, Object] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    threads: dict[str, threading.Thread] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def create(self, kind: str, made: Object) -> None:
        name = made["metadata"]["name"]
        self.made.append(name)
        if kind == "configmaps":
            self.configmaps[name] = made
            return
        made["status"] = {"phase": "Pending"}
        pod = self.pods[name] = Pod(made, self.folder / name)
        if self.refused:
            made["status"] = {"phase": "Failed", "reason": self.refused, "message": "no room"}
            return
        if self.broken:
            made["status"]["containerStatuses"] = [{"state": {"waiting": {"reason": self.broken}}}]
            return
        self.threads[name] = threading.Thread(target=pod.run, args=(self._command(made),), daemon=True)
        self.threads[name].start()

    def _command(self, made: Object) -> list[str]:
        """In place of a mount: a folder with what the pod reads. Its ports are its own on this machine."""
        read = self._read(made["spec"]["volumes"][0]["configMap"]["name"])
        (container,) = made["spec"]["containers"]
        words = [word.replace("/run/plumbline", str(read)) for word in container["command"]]
        words[2] = words[2].replace("python3", sys.executable)
        return [*words, "--master-port" if "--worker" in words else "--master-bind-port", str(self.port)]

    def _read(self, name: str) -> Path:
        folder = self.folder / "read"
        folder.mkdir(exist_ok=True)
        for key, text in self.configmaps[name]["data"].items():
            (folder / key).write_text(text)
        for key, data in self.configmaps[name]["binaryData"].items():
            (folder / key).write_bytes(base64.b64decode(data))
        return folder

    def log(self, name: str) -> bytes:
        """All of it, when the pod has ended."""
        self.threads[name].join(_ENDED * 2)
        return self.pods[name].told

    def remove(self, kind: str, name: str = "") -> None:
        """At once, or, where one is named, in good order."""
        if kind == "configmaps":
            self.configmaps.clear()
            return
        for key in [name] if name else list(self.pods):
            self.pods[key].end(signal.SIGTERM if name else signal.SIGKILL)
            if not name:
                if key in self.threads:
                    self.threads[key].join(_ENDED)
                del self.pods[key]


class _Handler(Answering):
    kubelet: Kubelet

    def do_GET(self) -> None:
        kind, name, more = self._asked()
        if more == "log":
            self.answer(200, self.kubelet.log(name))
            return
        items = [pod.made for pod in self.kubelet.pods.values()] if kind == "pods" else self.kubelet.configmaps
        self.answer(200, {"items": list(items)})

    def do_POST(self) -> None:
        made = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(403, {"message": "not allowed"})
            return
        self.kubelet.create(self._asked()[0], made)
        self.answer(201, made)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind, name, _ = self._asked()
        self.kubelet.remove(kind, name)
        self.answer(200, {})

    def _asked(self) -> tuple[str, str, str]:
        """Kind, name and what of it: /api/v1/namespaces/NAMESPACE/KIND/NAME/MORE."""
        kind, name, more, *_ = [*self.path.partition("?")[0].split("/")[5:], "", ""]
        return kind, name, more


@contextmanager
def running(folder: Path, port: int) -> Iterator[Kubelet]:
    """`port` is where masters listen. Whatever still runs at the end is killed."""
    kubelet = Kubelet(folder, port)
    with serving(folder, type("Handler", (_Handler,), {"kubelet": kubelet})) as (kubelet.url, kubelet.kubeconfig):
        try:
            yield kubelet
        finally:
            kubelet.remove("pods")


def until(happened: Any, seconds: float = _ENDED) -> None:
    """Waits for it."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
