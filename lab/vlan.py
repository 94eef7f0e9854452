"""802.1Q without the kernel's 8021q module: BPF programs that tag, sort and forward frames between interfaces.

A VLAN interface is one end of a veth pair; what leaves by it is tagged and sent out by the trunk interface, and what
comes in by the trunk interface is sorted by its tag. So the trunk interface carries, and shows to tcpdump, what a
cable would. A program that is attached leaves its digest as the interface's alias, by which a repetition knows it.
"""

import ctypes
import hashlib
import importlib
import os
import platform
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lab.errors import LabError

_SYSCALL = {"x86_64": 321}
_PROG_LOAD, _SCHED_CLS = 5, 3
_PARENTS = {"ingress": "ffff:fff2", "egress": "ffff:fff3"}
# Helper functions of the kernel, and the offset of the tag in `struct __sk_buff` (linux/bpf.h).
_VLAN_PUSH, _VLAN_POP, _REDIRECT, _VLAN_TCI = 18, 19, 23, 24
_TO_INGRESS = 1
_PROTOCOL = socket.htons(0x8100)


@dataclass(frozen=True)
class Hook:
    """A program and where it belongs: what comes in by (`ingress`) or leaves by (`egress`) an interface."""

    interface: str
    direction: Literal["ingress", "egress"]
    code: bytes

    @property
    def mark(self) -> str:
        """Alias of an interface that has this program."""
        return f"plumbline {self.direction} {hashlib.sha256(self.code).hexdigest()[:16]}"


def tag(vlan: int, trunk: int) -> bytes:
    """Program: put a tag on each frame and send it out by the interface with index `trunk`."""
    return b"".join(
        [_load(2, _PROTOCOL), _load(3, vlan), _call(_VLAN_PUSH), _load(1, trunk), _load(2, 0), _call(_REDIRECT), _EXIT]
    )


def sort(interfaces: Mapping[int, int]) -> bytes:
    """Program: hand each frame, without its tag, to the interface (by index) of its VLAN; leave other frames alone."""
    code = [_copy(6, 1), _insn(0x61, 2, 6, _VLAN_TCI), _insn(0x57, 2, immediate=0xFFF)]
    for position, (vlan, index) in enumerate(sorted(interfaces.items())):
        to_hit = 2 * (len(interfaces) - position - 1) + 2
        code += [_load(7, index), _insn(0x15, 2, offset=to_hit, immediate=vlan)]
    code += [_load(0, 0), _EXIT]
    hit = [_copy(1, 6), _call(_VLAN_POP), _copy(1, 7), _load(2, _TO_INGRESS), _call(_REDIRECT), _EXIT]
    return b"".join(code + hit)


def forward(interface: int) -> bytes:
    """Program: send each frame, as it is, out by the interface with this index."""
    return b"".join([_load(1, interface), _load(2, 0), _call(_REDIRECT), _EXIT])


def attach(namespace: str, hooks: Iterable[Hook], links: Mapping[str, Mapping[str, Any]]) -> int:
    """Attach the programs that their interfaces lack, by `links` (what `netns.links` tells); returns how many."""
    missing = [hook for hook in hooks if links[hook.interface].get("ifalias") != hook.mark]
    if missing:
        _attach(namespace, missing, links)
    return len(missing)


def _attach(namespace: str, hooks: Sequence[Hook], links: Mapping[str, Mapping[str, Any]]) -> None:
    netns = importlib.import_module("pyroute2").NetNS  # costs 0.3 s, and most calls have nothing to attach

    with netns(namespace, flags=0) as kernel:
        for hook in hooks:
            index = links[hook.interface]["ifindex"]
            program = _program(hook.code)
            try:
                kernel.tc("replace", "clsact", index=index)
                kernel.tc(
                    "replace-filter", "bpf", index=index, parent=_PARENTS[hook.direction], handle=1, prio=1,
                    fd=program, name=hook.direction, direct_action=True, classid=1,
                )  # fmt: skip
                # Last, so that the mark never stands where a killed run did not attach the program.
                kernel.link("set", index=index, ifalias=hook.mark)
            finally:
                os.close(program)


def _program(code: bytes) -> int:
    """Load a program into the kernel and return its file descriptor."""
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise LabError(f"the lab does not know how to load BPF programs on {platform.machine()}", remedy="use x86_64")
    libc = ctypes.CDLL(None, use_errno=True)
    text = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"Apache-2.0")
    log = ctypes.create_string_buffer(1 << 16)
    addresses = [ctypes.addressof(buffer) for buffer in (text, licence, log)]
    request = struct.pack("=IIQQIIQ", _SCHED_CLS, len(code) // 8, *addresses[:2], 1, len(log), addresses[2])
    descriptor = int(libc.syscall(number, _PROG_LOAD, ctypes.create_string_buffer(request, len(request)), len(request)))
    if descriptor < 0:
        reason = os.strerror(ctypes.get_errno())
        raise LabError(
            f"the kernel refuses the lab's VLAN program: {reason}\n{log.value.decode(errors='replace')}".rstrip(),
            remedy="use a kernel with BPF_SYSCALL, NET_CLS_BPF and NET_SCH_INGRESS, and root with CAP_BPF",
        )
    return descriptor


def _insn(code: int, destination: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    return struct.pack("=BBhi", code, destination | source << 4, offset, immediate)


def _load(register: int, value: int) -> bytes:
    return _insn(0xB7, register, immediate=value)


def _copy(destination: int, source: int) -> bytes:
    return _insn(0xBF, destination, source)


def _call(helper: int) -> bytes:
    return _insn(0x85, immediate=helper)


_EXIT = _insn(0x95)
