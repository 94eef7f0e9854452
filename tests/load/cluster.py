"""A stand-in for an API server and for who fulfils: nodes and pods in memory, over HTTPS, as much as load asks for."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from locustfiles.kube.objects import AGENTS, ATTACHMENTS
from tests.collect.certificates import Authority

TOKEN = "a-token-of-tests"
Object = dict[str, Any]


@dataclass
class Cluster:
    """What is there, and every change of it in order. `work` is done with each new pod, in a thread of its own."""

    url: str = ""
    kubeconfig: str = ""
    work: Callable[[Cluster, Object], None] = lambda cluster, pod: cluster.fulfil(pod)
    refused: str = "nothing"
    """A word of queries that are answered with 503, once agents are there."""
    nodes: dict[str, Object] = field(default_factory=dict)
    pods: dict[str, Object] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def fulfil(self, pod: Object, scheduled: float = 0.03, fulfilled: float = 0.03) -> None:
        """It has its agent after so many seconds, and is fulfilled after so many more."""
        time.sleep(scheduled)
        self.change(pod, lambda: pod["spec"].update(nodeName="plumbline-agent-0"))
        time.sleep(fulfilled)
        self.change(pod, lambda: pod.update(status={"phase": "Running"}))

    def change(self, pod: Object, how: Callable[[], None], kind: str = "MODIFIED") -> None:
        """A change that whoever watches is told of."""
        with self.changed:
            how()
            pod["metadata"]["resourceVersion"] = str(len(self.events) + 1)
            self.events.append(json.dumps({"type": kind, "object": pod}).encode() + b"\n")
            self.changed.notify_all()

    def create(self, path: str, made: Object) -> None:
        name = made["metadata"]["name"]
        self.made.append(name)
        if path == AGENTS:
            self.nodes[name] = made | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
            return
        made.setdefault("status", {"phase": "Pending"})
        self.change(made, lambda: self.pods.update({name: made}), "ADDED")
        threading.Thread(target=self.work, args=(self, made), daemon=True).start()

    def listed(self, path: str, query: dict[str, list[str]]) -> Object:
        with self.changed:
            items = list((self.nodes if path == AGENTS else self.pods).values())
            version = str(len(self.events))
        if "fieldSelector" in query:
            items = [item for item in items if item["status"]["phase"] != "Running"]
        return {"metadata": {"resourceVersion": version}, "items": items}


class Answering(BaseHTTPRequestHandler):
    """What every stand-in for an API server does."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status: int, document: Object | bytes) -> None:
        """Sends a document, or a text as it is."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


class _Handler(Answering):
    cluster: Cluster

    def do_GET(self) -> None:
        path, _, words = self.path.partition("?")
        query = parse_qs(words)
        if self.cluster.refused in words.split("&") and self.cluster.nodes and path == ATTACHMENTS:
            self.answer(503, {"message": "not now"})
            return
        if "watch" not in query:
            self.answer(200, self.cluster.listed(path, query))
            return
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        sent = int(query["resourceVersion"][0])
        while True:
            with self.cluster.changed:
                if len(self.cluster.events) == sent:
                    self.cluster.changed.wait(timeout=1)
                new = self.cluster.events[sent:]
            self.wfile.write(b"".join(new))
            sent += len(new)

    def do_POST(self) -> None:
        made = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(403, {"message": "not allowed"})
            return
        self.cluster.create(self.path, made)
        self.answer(201, made)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, name = self.path.rpartition("/")
        if self.path == ATTACHMENTS:
            self.cluster.pods.clear()
        elif path == AGENTS:
            self.cluster.nodes.pop(name, None)
        self.answer(200, {})


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """On loopback, with a certificate for its address and a kubeconfig that trusts it."""
    cluster = Cluster()
    with serving(folder, type("Handler", (_Handler,), {"cluster": cluster})) as (cluster.url, cluster.kubeconfig):
        yield cluster


@contextmanager
def serving(folder: Path, handler: type[BaseHTTPRequestHandler]) -> Iterator[tuple[str, str]]:
    """A server over HTTPS on loopback: its URL, and a kubeconfig that trusts it."""
    authority = Authority("cluster")
    leaf = authority.leaf("127.0.0.1")
    (folder / "pair.pem").write_text(leaf.certificate + leaf.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Whoever watches goes without a word."""

    with Server(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = f"https://127.0.0.1:{server.server_address[1]}"
        shown = {"server": url, "certificate-authority-data": _in(authority)}
        kubeconfig = yaml.safe_dump({"clusters": [{"cluster": shown}], "users": [{"user": {"token": TOKEN}}]})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield url, kubeconfig
        finally:
            server.shutdown()
            thread.join()


def _in(authority: Authority) -> str:
    return base64.b64encode(authority.certificate.encode()).decode()


def port(cluster: Cluster) -> int:
    """Where it listens."""
    return int(urlsplit(cluster.url).port or 0)
