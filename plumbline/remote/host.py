"""What is true of the node itself. A part that cannot be read leaves its reason under `errors` and stops no other."""

from __future__ import annotations

import glob
import os
import platform
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from plumbline.remote import addresses, pki, ssh_files, vault
from plumbline.remote.command import CommandError, run
from plumbline.remote.types import Json

_UNIT_KEYS = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NRestarts",
    "Result",
    "MainPID",
    "ActiveEnterTimestampMonotonic",
)


def describe(request: Json) -> Json:
    """The facts of a node; `request` names the sysctls, units and modules to be read."""
    errors: dict[str, str] = {}
    parts: dict[str, Callable[[], Any]] = {
        "system": _system,
        "network": addresses.describe,
        "sysctls": lambda: {name: _sysctl(name) for name in request.get("sysctls", ())},
        "units": lambda: _units(request.get("units", ())),
        "failed_units": _failed_units,
        "modules": lambda: {name: _module(name) for name in request.get("modules", ())},
        "swaps": _swaps,
        "fstab_swaps": _fstab_swaps,
        "machine_id": lambda: _read("/etc/machine-id"),
        "forwarding": _forwarding,
        "transparent_hugepages": _transparent_hugepages,
        "cpu_governors": _cpu_governors,
        "listening": _listening,
        "resolv_conf": lambda: _read("/etc/resolv.conf"),
        "kernel_errors": _kernel_errors,
        "disk_var": _disk_var,
        **_of_services(request),
    }
    facts: Json = {}
    for name, part in parts.items():
        try:
            facts[name] = part()
        except (OSError, CommandError, ValueError, KeyError, IndexError, TypeError) as error:
            errors[name] = f"{type(error).__name__}: {error}"[:300]
    facts["errors"] = errors
    return facts


def _of_services(request: Json) -> dict[str, Callable[[], Any]]:
    """What services outside the cluster have on this node: asked for where the bed declares them."""
    known: dict[str, Callable[[Json], Json]] = {
        "pki": pki.describe,
        "ssh": ssh_files.describe,
        "vault": vault.describe,
    }
    return {name: partial(describe, request[name]) for name, describe in known.items() if request.get(name)}


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def _system() -> Json:
    return {
        "hostname": platform.node(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "uptime_s": float(_read("/proc/uptime").split()[0]),
        "init_s": int(_read("/proc/1/stat").rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK"),
        "load": os.getloadavg()[0],
        "memory_kib": {
            k: int(v.split()[0])
            for k, _, v in (line.partition(":") for line in _read("/proc/meminfo").splitlines())
            if k in ("MemTotal", "MemAvailable", "SwapTotal")
        },
        "time": time.time(),
    }


def _sysctl(name: str) -> str | None:
    """The value of a sysctl, words parted by one space, or None where this kernel has none of that name."""
    path = name if "/" in name else name.replace(".", "/")
    try:
        return " ".join(_read(f"/proc/sys/{path}").split())
    except FileNotFoundError:
        return None


def _units(names: list[str]) -> dict[str, Json]:
    if not names:
        return {}
    output = run("systemctl", "show", "--no-pager", *(f"--property={key}" for key in _UNIT_KEYS), "--", *names)
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in output.strip().split("\n\n")]
    return {name: dict(block) for name, block in zip(names, blocks, strict=True)}


def _failed_units() -> list[str]:
    output = run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager")
    return [line.split()[0] for line in output.splitlines() if line.strip()]


def _module(name: str) -> bool:
    return os.path.isdir(f"/sys/module/{name.replace('-', '_')}")


def _swaps() -> list[str]:
    return [line.split()[0] for line in _read("/proc/swaps").splitlines()[1:]]


def _fstab_swaps() -> list[str]:
    """Lines of /etc/fstab that would bring swap back at the next boot."""
    try:
        lines = [line.strip() for line in _read("/etc/fstab").splitlines()]
    except FileNotFoundError:
        return []
    return [line for line in lines if not line.startswith("#") and line.split()[2:3] == ["swap"]]


def _forwarding() -> dict[str, bool]:
    """By interface, whether the kernel forwards packets that arrive on it."""
    paths = glob.glob("/proc/sys/net/ipv4/conf/*/forwarding")
    return {path.split("/")[-2]: _read(path) == "1" for path in paths}


def _transparent_hugepages() -> str | None:
    try:
        text = _read("/sys/kernel/mm/transparent_hugepage/enabled")
    except FileNotFoundError:
        return None
    return text[text.index("[") + 1 : text.index("]")]


def _cpu_governors() -> list[str]:
    """The governors in use, each once; none where the processor's clock cannot be governed."""
    return sorted({_read(path) for path in glob.glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")})


def _listening() -> Json:
    """Ports on which something listens, by protocol, each with the addresses."""
    result: Json = {}
    for protocol, state in (("tcp", "0A"), ("udp", "07"), ("tcp6", "0A"), ("udp6", "07")):
        try:
            lines = _read(f"/proc/net/{protocol}").splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == state:
                address, _, port = fields[1].rpartition(":")
                result.setdefault(protocol[:3], {}).setdefault(str(int(port, 16)), set()).add(_address(address))
    return {protocol: {port: sorted(a) for port, a in ports.items()} for protocol, ports in result.items()}


def _address(text: str) -> str:
    """An address as /proc writes it: words of four bytes, each in the processor's order."""
    words = [bytes.fromhex(text[n : n + 8]) for n in range(0, len(text), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _kernel_errors() -> Json:
    """How many messages of level error or worse the kernel's log holds, and the last three."""
    found: list[str] = []
    descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    try:
        while True:
            try:
                head, _, text = os.read(descriptor, 8192).decode(errors="replace").partition(";")
            except BlockingIOError:
                break
            except BrokenPipeError:
                continue  # overwritten while being read; the next read goes on after it
            if int(head.split(",")[0]) & 7 <= 3:
                found.append(text.splitlines()[0][:200])
    finally:
        os.close(descriptor)
    return {"count": len(found), "last": found[-3:]}


def _disk_var() -> Json:
    state = os.statvfs("/var")
    return {
        "size": state.f_blocks * state.f_frsize,
        "free": state.f_bavail * state.f_frsize,
        "inodes": state.f_files,
        "inodes_free": state.f_favail,
    }
