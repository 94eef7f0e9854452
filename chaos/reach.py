"""How actions reach a bed: a shell on its nodes and in its pods, the API server as administrator, the lab's switch.

Everything has a time limit, and nothing secret is ever an argument of a program: it goes by standard input.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

from chaos.call import ActionFailed
from plumbline import namespace, places
from plumbline.bed import Bed
from plumbline.collect.access import Access
from plumbline.collect.kubeconfig import Server, connect
from plumbline.collect.ssh import PORT, Login
from plumbline.facts import conditions

T = TypeVar("T")
SWITCH = "nexus"
"""The name of a lab's switch, as `python -m lab shell` knows it."""
LIMIT = 15.0
"""Seconds that a command on a node may take, unless its caller knows better."""
NO_SUCH_POD = 44
"""Exit code of a command that was meant for a pod that is not on that node (any more)."""
_API_LIMIT = 10.0
_FOLDER = "plumbline-reach-"
_MOST_SAID = 1 << 16
_ROOT = Path(__file__).resolve().parent.parent
_MERGE = "application/merge-patch+json"
# A pod's processes by its UID, as their control groups name it. Its pause process, the oldest, stands for its network;
# for its files, the youngest process of the wanted container does.
_IN_POD = r"""
uid=$(printf %s "$1" | sed 's/-/[-_]/g'); kinds=$2; shift 2
pids=$(grep -lE "pod$uid" /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3 | sort -n)
[ -n "$pids" ] || { echo "no process of that pod" >&2; exit 44; }
for pid in $pids; do [ -e /proc/$pid/ns/net ] && break; done
exec nsenter --target $pid $kinds -- "$@"
"""


@dataclass(frozen=True)
class Done:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Pod:
    """A pod that runs: where, and by which UID its processes are found."""

    namespace: str
    name: str
    uid: str
    node: str
    ready: bool
    ip: str = ""


class Reach:
    """The ways to one bed, open for as long as a block runs: `with Reach(bed) as reach`."""

    def __init__(self, bed: Bed, access: Access | None = None, admin: Path | None = None) -> None:
        """`access` and `admin` (an administrator's kubeconfig) are what the bed itself says, unless they are given."""
        self.bed = bed
        self.access = access or Access.of(bed)
        self._admin = admin
        self._folder = _own_folder()
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends shared connections and removes their folder."""
        for control in self._folder.iterdir() if self._folder.is_dir() else ():
            command = ["ssh", "-F", "none", "-o", f"ControlPath={control}", "-O", "exit", "node"]
            try:
                subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2, check=False)
            except (OSError, subprocess.TimeoutExpired):
                continue
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    def command(self, node: str, argv: Sequence[str]) -> list[str]:
        """What runs a command on a node as root, for one who speaks with it for longer than one question."""
        return [*self._ssh(node), shlex.join(argv)]

    def ask(self, node: str, argv: Sequence[str], *, input: str = "", limit: float = LIMIT) -> Done:
        """Runs a command on a node as root. ActionFailed where the node does not answer in time."""
        command = self.command(node, argv)
        # not a pipe for errors: some releases of ssh keep that open for as long as the connection is shared
        with tempfile.TemporaryFile() as errors:
            try:
                done = subprocess.run(
                    command, input=input.encode(), stdout=subprocess.PIPE, stderr=errors, timeout=limit, check=False
                )
            except subprocess.TimeoutExpired:
                raise ActionFailed(f"no answer within {limit:.0f} s", place=node, remedy=f"ssh {node}") from None
            except OSError as error:
                raise ActionFailed(f"ssh cannot be started: {error.strerror}", place=node) from None
            errors.seek(0)
            said = errors.read(_MOST_SAID).decode("utf-8", "replace")
        if done.returncode == 255:
            why = " ".join(said.split())[-200:] or "the connection was closed"
            raise ActionFailed(why, place=node, remedy="is sshd up, and is OOBI?")
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), said)

    def run(self, node: str, argv: Sequence[str], *, input: str = "", limit: float = LIMIT) -> str:
        """What a command on a node says. ActionFailed where it ends with an error."""
        done = self.ask(node, argv, input=input, limit=limit)
        if done.code != 0:
            said = " ".join((done.err or done.out).split())[-300:]
            raise ActionFailed(f"`{shlex.join(argv)[:200]}` ended with {done.code}: {said}", place=node)
        return done.out

    def ask_pod(
        self, node: str, uid: str, argv: Sequence[str], *, kinds: str = "--net", input: str = "", limit: float = LIMIT
    ) -> Done:
        """Runs a program of the node in namespaces of a pod (`kinds` as of nsenter); code NO_SUCH_POD if it is gone."""
        return self.ask(node, ["sh", "-c", _IN_POD, "pod", uid, kinds, *argv], input=input, limit=limit)

    def switch(self, *argv: str, limit: float = 30.0) -> str:
        """What a command on the lab's switch says; refused for a bed of hardware."""
        if self.bed.realised_by != "lab":
            raise ActionFailed(
                "faults of the switch are made on the lab's alone", place=f"bed {self.bed.bed}",
                remedy="use node.nft, node.link or node.route instead",
            )  # fmt: skip
        # as one word: the lab's own command line has its own meaning of a second --
        script = ["sh", "-c", shlex.join(argv)]
        command = [sys.executable, "-m", "lab", "shell", "--bed", str(self.bed.path.resolve()), SWITCH, "--", *script]
        try:
            done = subprocess.run(
                command, cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=limit, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ActionFailed(f"no answer within {limit:.0f} s", place="the switch") from None
        if done.returncode != 0:
            raise ActionFailed(
                f"`{shlex.join(argv)[:200]}` ended with {done.returncode}: {done.stderr.strip()[-300:]}",
                place="the switch",
            )
        return done.stdout

    def get(self, path: str, **query: str) -> Any:
        """An object or list of the API server, or None where there is none."""
        return self.api("GET", path, query=query, missing=True)

    def patch(self, path: str, body: Any, *, missing: bool = False) -> Any:
        """Merges a JSON merge patch into an object."""
        return self.api("PATCH", path, body, kind=_MERGE, missing=missing)

    def api(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json",
        query: Mapping[str, str] | None = None, missing: bool = False, exists: bool = False,
    ) -> Any:  # fmt: skip
        """A request to the API server as administrator. None for 404 if `missing` is fine, for 409 if `exists` is."""
        asked = f"{path}?{urlencode(query)}" if query else path
        status, data = self._worker().submit(self._request, method, asked, body, kind).result(timeout=_API_LIMIT * 2)
        if (status == 404 and missing) or (status == 409 and exists):
            return None
        if status >= 300:
            said = data.get("message", "") if isinstance(data, dict) else str(data)
            raise ActionFailed(f"{method} {path}: {status} {said[:300]}", place="the API server")
        return data

    def answer(self, method: str, path: str, body: Any = None, *, limit: float = _API_LIMIT) -> tuple[int, Any]:
        """What the API server says to a request as administrator, whatever it is. HTTPError of urllib3 if nothing."""
        kind = "application/json"
        return self._worker().submit(self._sent, method, path, body, kind, limit).result(timeout=limit * 3)

    def pods(self, workload: str, node: str = "") -> list[Pod]:
        """The running pods of a workload (on a node), in the order of their names; none that is being deleted."""
        declared = self.bed.workloads[workload]
        path = f"/api/v1/namespaces/{declared.namespace}/pods"
        found = self.get(path, labelSelector=f"app.kubernetes.io/name={workload}") or {"items": []}
        pods = [_pod(item) for item in found["items"] if not item["metadata"].get("deletionTimestamp")]
        running = [pod for pod, phase in pods if phase == "Running" and node in ("", pod.node)]
        return sorted(running, key=lambda pod: pod.name)

    def every_pod(self) -> list[Pod]:
        """All pods of the cluster, whosever they are, but those that have done their work."""
        pods = map(_pod, self.api("GET", "/api/v1/pods")["items"])
        return [pod for pod, phase in pods if phase != "Succeeded"]

    def inside(self, ask: Callable[[], T], limit: float = LIMIT) -> T:
        """What a function finds that stands where the bed's addresses are the bed's. ActionFailed after `limit` s."""
        try:
            return self._worker().submit(ask).result(timeout=limit)
        except TimeoutError:
            raise ActionFailed(f"no answer within {limit:.0f} s", place=f"bed {self.bed.bed}") from None

    def _ssh(self, node: str) -> list[str]:
        access, login = self.access, Login.of(self.bed, self.access, node)
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "ControlMaster": "auto",
            "ControlPath": str(self._folder / node),
            "ControlPersist": "60",
            "StrictHostKeyChecking": "yes",
            "LogLevel": "ERROR",
            "ClearAllForwardings": "yes",
        }
        if access.known_hosts:
            options["UserKnownHostsFile"] = str(access.known_hosts)
        command = ["ssh", "-T", *(["-F", str(access.ssh_config)] if access.ssh_config else [])]
        command += [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        command += [
            *(["-l", login.user] if login.user else []),
            *(["-p", str(login.port)] if login.port != PORT else []),
        ]
        where = ["nsenter", f"--net={namespace.path_of(access.netns)}", "--"] if access.netns else []
        return [*where, *command, "--", login.host, *(["sudo", "-n", "--"] if access.sudo else [])]

    def _worker(self) -> ThreadPoolExecutor:
        """One thread, which alone stands in the runner's namespace: the caller stays where it is."""
        with self._lock:
            if self._thread is None:
                enter = (namespace.enter, (self.access.netns,)) if self.access.netns else (None, ())
                self._thread = ThreadPoolExecutor(1, "api", *enter)
            return self._thread

    def _request(self, method: str, path: str, body: Any, kind: str) -> tuple[int, Any]:
        from urllib3.exceptions import HTTPError

        try:
            return self._sent(method, path, body, kind, _API_LIMIT)
        except HTTPError as error:
            raise ActionFailed(
                f"{method} {path}: {type(error).__name__}",
                place="the API server",
                remedy="journalctl -u kube-apiserver",
            ) from None

    def _sent(self, method: str, path: str, body: Any, kind: str, limit: float) -> tuple[int, Any]:
        from urllib3 import Timeout

        server = self._server
        headers = {**server.headers, "Content-Type": kind} if body is not None else server.headers
        answer = server.pool.request(
            method, f"{server.host}{path}", body=json.dumps(body) if body is not None else None, headers=headers,
            timeout=Timeout(connect=min(3.0, limit), read=limit), retries=False, redirect=False,
        )  # fmt: skip
        text = answer.data.decode("utf-8", "replace")
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    @cached_property
    def _server(self) -> Server:
        file = self._admin or self._administrator()
        try:
            return connect(self.access, file, "plumbline-chaos")
        except Exception as error:
            raise ActionFailed(f"{file} cannot be used: {type(error).__name__}", place="kubeconfig") from None

    def _administrator(self) -> Path | None:
        if self.bed.realised_by != "lab":
            return self.access.kubeconfig
        told = json.loads((places.runtime(self.bed.bed) / "access.json").read_text(encoding="utf-8"))
        return Path(told["admin_kubeconfig"])


def _own_folder() -> Path:
    """A folder for connections, of this process alone; those of processes that were killed are removed."""
    for old in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        pid = old.name.removeprefix(_FOLDER).partition("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-"))


def _pod(item: dict[str, Any]) -> tuple[Pod, str]:
    status, metadata = item["status"], item["metadata"]
    ready, node = conditions.has(item, "Ready"), item["spec"].get("nodeName", "")
    pod = Pod(metadata["namespace"], metadata["name"], metadata["uid"], node, ready, status.get("podIP", ""))
    return pod, status.get("phase", "")
