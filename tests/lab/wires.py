"""A few network namespaces on wires of their own, in which a node's files are tried without a whole lab."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from lab.disks import FileSpec

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_ONE_AT_A_TIME = Lock()


def sh(*argv: str, timeout: float = 20, check: bool = True) -> str:
    """Output of a program."""
    return subprocess.run(argv, check=check, timeout=timeout, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Wires:
    """Namespaces by role; `folder` holds what their programs write."""

    prefix: str
    folder: Path

    def name(self, role: str) -> str:
        return f"{self.prefix}-{role}"

    def run(self, role: str, *argv: str, timeout: float = 10, check: bool = True) -> str:
        """Output of a program that runs in a namespace."""
        return sh("ip", "netns", "exec", self.name(role), *argv, timeout=timeout, check=check)

    @contextmanager
    def inside(self, role: str) -> Iterator[None]:
        """This thread in a namespace; a socket made here stays there."""
        with _ONE_AT_A_TIME, open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name(role)}") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    @contextmanager
    def background(self, role: str, argv: list[str], ready: Callable[[], bool], limit: float = 10) -> Iterator[None]:
        """A program that runs in a namespace while the context lasts; its output goes to a file of `folder`."""
        output = self.folder / f"{role}.{Path(argv[0]).name}.out"
        with (
            output.open("wb") as out,
            subprocess.Popen(
                ["ip", "netns", "exec", self.name(role), *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out
            ) as process,
        ):
            try:
                until(lambda: process.poll() is not None or ready(), limit, f"{argv} is not ready: see {output}")
                assert process.poll() is None, output.read_text()
                yield
            finally:
                process.terminate()
                process.wait(timeout=10)


@contextmanager
def wires(folder: Path, hub: str, spokes: Mapping[str, tuple[str, str, str]], mtu: int) -> Iterator[Wires]:
    """A hub with one wire to each spoke: role -> (interface on the hub, its address, address of the spoke)."""
    made = Wires(f"nt-{os.getpid()}", folder)
    with ExitStack() as stack:
        for role in (hub, *spokes):
            sh("ip", "netns", "add", made.name(role))
            stack.callback(sh, "ip", "netns", "delete", made.name(role))
            sh("ip", "-n", made.name(role), "link", "set", "lo", "up")
        for role, (port, hub_address, address) in spokes.items():
            ends = ((made.name(hub), port, hub_address), (made.name(role), "net1", address))
            peer = ("peer", "name", "net1", "netns", made.name(role))
            sh("ip", "link", "add", port, "netns", made.name(hub), "type", "veth", *peer)
            for namespace, link, own in ends:
                sh("ip", "-n", namespace, "address", "add", own, "dev", link)
                sh("ip", "-n", namespace, "link", "set", link, "mtu", str(mtu), "up")
            sh("ip", "-n", made.name(role), "route", "add", "default", "via", hub_address.partition("/")[0])
        yield made


@contextmanager
def node_root(rootfs: Path, folder: Path, files: Mapping[str, FileSpec]) -> Iterator[Path]:
    """The root file system of a node with these files in it, for chroot."""
    root, upper, work = folder / "root", folder / "upper", folder / "work"
    for place in (root, upper, work):
        place.mkdir()
    with ExitStack() as stack:
        for kind, source, target, options in (
            ("overlay", "overlay", root, f"lowerdir={rootfs},upperdir={upper},workdir={work}"),
            ("proc", "proc", root / "proc", "nosuid"),
            ("tmpfs", "tmpfs", root / "run", "mode=755"),
        ):
            sh("mount", "-t", kind, source, "-o", options, str(target))
            stack.callback(sh, "umount", "--lazy", str(target))
        sh("mknod", "-m", "666", str(root / "dev/null"), "c", "1", "3", check=False)
        sh("mknod", "-m", "666", str(root / "dev/urandom"), "c", "1", "9", check=False)
        for path, spec in files.items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(spec.content.encode() if isinstance(spec.content, str) else spec.content)
            place.chmod(spec.mode)
        yield root


def until(condition: Callable[[], bool], limit: float, what: str) -> None:
    """Wait for a condition; AssertionError with `what` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
