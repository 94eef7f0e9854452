"""The pods that run on this node, found without Kubernetes, and what is true inside their network namespaces."""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import time
from dataclasses import dataclass

from plumbline.remote import addresses, netns
from plumbline.remote.command import CommandError
from plumbline.remote.types import Json

_UID = re.compile(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})(?:\.slice)?(?:/([^/\n]+))?")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
_OF_THE_SYSTEM = ("/proc", "/sys", "/dev", "/run/secrets/kubernetes.io", "/var/run/secrets/kubernetes.io")
_LARGEST_FILE = 256 * 1024
_AT_ONCE = 8


@dataclass(frozen=True)
class Pod:
    """A pod's UID and one process of each of its containers; the first of them is as good as any for its namespaces."""

    uid: str
    processes: tuple[int, ...]

    @property
    def namespace(self) -> str:
        """The file of its network namespace."""
        return f"/proc/{self.processes[0]}/ns/net"


def scan() -> dict[str, Pod]:
    """All pods of this node by UID, from the control groups of its processes."""
    found: dict[str, dict[str, int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/cgroup", encoding="utf-8") as file:
                match = _UID.search(file.read())
        except OSError:
            continue  # it has ended
        if match:
            found.setdefault(match[1].replace("_", "-"), {}).setdefault(match[2] or "", int(name))
    return {uid: Pod(uid, tuple(containers.values())) for uid, containers in found.items()}


def describe(pods: dict[str, Pod], deadline: float, environment: Json | None = None) -> dict[str, Json]:
    """The facts of all these pods; one that does not answer before `deadline` (monotonic) has only an `error`.

    `environment` has the `names` of variables whose digests are wanted, and the `salt` (hexadecimal) of these.
    """
    host = netns.identity("/proc/self/ns/net")
    result: dict[str, Json] = {}
    waiting, running = list(pods.values()), dict[int, tuple[Pod, int, bytearray]]()
    while waiting or running:
        while waiting and len(running) < _AT_ONCE:
            pod = waiting.pop()
            descriptor, child = _start(pod, host, environment or {})
            running[descriptor] = (pod, child, bytearray())
        ready, _, _ = select.select(list(running), [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            for descriptor, (pod, child, _data) in running.items():
                os.kill(child, 9)
                os.waitpid(child, 0)
                os.close(descriptor)
                result[pod.uid] = {"error": "no answer before the deadline"}
            result.update({pod.uid: {"error": "not asked before the deadline"} for pod in waiting})
            break
        for descriptor in ready:
            pod, child, data = running[descriptor]
            chunk = os.read(descriptor, 1 << 16)
            data += chunk
            if not chunk:
                os.waitpid(child, 0)
                os.close(descriptor)
                result[pod.uid] = json.loads(data) if data else {"error": "the reading process died"}
                del running[descriptor]
    return result


def _start(pod: Pod, host: int, environment: Json) -> tuple[int, int]:
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return reader, child
    try:
        os.close(reader)
        with os.fdopen(writer, "wb") as file:
            file.write(json.dumps(_facts(pod, host, environment)).encode())
    finally:
        os._exit(0)


def _facts(pod: Pod, host: int, environment: Json) -> Json:
    facts: Json = {"process": pod.processes[0], "error": None}
    try:
        shared = netns.identity(pod.namespace) == host
        facts["host_network"] = shared
        facts["certificates"], facts["ages"] = _certificates(pod)
        facts["resolv_conf"] = _resolv_conf(pod)
        facts["environment"] = _environment(pod, environment)
        if not shared:
            netns.enter(pod.namespace)
            facts["network"] = addresses.describe()
    except (OSError, CommandError, ValueError) as error:
        facts["error"] = f"{type(error).__name__}: {error}"[:300]
    return facts


def _environment(pod: Pod, wanted: Json) -> dict[str, str]:
    """Digests of the wanted variables of the pod's processes: with them a value can be compared, and not be read."""
    found: dict[str, str] = {}
    names, salt = set(wanted.get("names", ())), bytes.fromhex(wanted.get("salt", ""))
    for process in pod.processes:
        try:
            with open(f"/proc/{process}/environ", "rb") as file:
                variables = file.read().split(b"\0")
        except OSError:
            continue
        for variable in variables:
            name, _, value = variable.partition(b"=")
            if name.decode("utf-8", "replace") in names:
                found.setdefault(name.decode(), hashlib.blake2b(value, key=salt, digest_size=16).hexdigest())
    return found


def _resolv_conf(pod: Pod) -> str:
    for process in reversed(pod.processes):
        try:
            with open(f"/proc/{process}/root/etc/resolv.conf", encoding="utf-8", errors="replace") as file:
                return file.read(4096)
        except OSError:
            continue
    return ""


def _certificates(pod: Pod) -> tuple[dict[str, str], dict[str, float]]:
    """Certificates (PEM, never a key) that lie in the folders mounted into the pod's containers, by path.

    And how old each file was when its container started, in seconds; negative where it was written later.
    """
    found: dict[str, str] = {}
    ages: dict[str, float] = {}
    for process in pod.processes:
        started = _started(process)
        for folder in _mounted(process):
            root = f"/proc/{process}/root{folder}"
            try:
                names = os.listdir(root) if os.path.isdir(root) else [""]
            except OSError:
                continue
            for name in names[:200]:
                if name.endswith((".crt", ".pem")) or (not name and folder.endswith((".crt", ".pem"))):
                    path = f"{folder}/{name}".rstrip("/")
                    pem = _pem(f"/proc/{process}/root{path}")
                    if pem:
                        found[path] = pem
                        ages[path] = round(started - os.stat(f"/proc/{process}/root{path}").st_mtime, 2)
    return found, ages


def _started(process: int) -> float:
    """When a process started, in seconds of the epoch."""
    with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


def _mounted(process: int) -> list[str]:
    """Where secrets, configmaps and other volumes are mounted in the container of a process."""
    folders = []
    try:
        with open(f"/proc/{process}/mountinfo", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    for line in lines:
        fields = line.split()
        folder, kind = fields[4], fields[fields.index("-") + 1]
        volume = kind == "tmpfs" or "/volumes/" in fields[3] or "/volume-subpaths/" in fields[3]
        if volume and not folder.startswith(_OF_THE_SYSTEM):
            folders.append(folder)
    return folders


def _pem(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return "".join(_CERTIFICATE.findall(file.read(_LARGEST_FILE)))
    except OSError:
        return ""
