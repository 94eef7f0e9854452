"""An SSH server of our own on the loopback, keys and a host CA included, and servers that only pretend to be one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import rootfs

_IN_A_ROOT = """
set -e
mount --bind "$2" "$1/mnt"; mount --rbind /proc "$1/proc"; mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/run"; mkdir -p "$1/run/sshd"
exec chroot "$1" /usr/sbin/sshd -D -e -f /mnt/sshd_config
"""

PATH = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class Server:
    """Where it listens, and the ssh_config that reaches it as the host `node`."""

    port: int
    config: Path


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def config(folder: Path, port: int, *more: str) -> Path:
    """An ssh_config for the host `node`."""
    path = folder / f"config-{port}"
    lines = [
        "Host node",
        "HostName 127.0.0.1",
        f"Port {port}",
        f"IdentityFile {folder}/user",
        f"UserKnownHostsFile {folder}/known_hosts",
        "HostKeyAlias node",
        "IdentitiesOnly yes",
        *more,
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def keys(folder: Path) -> None:
    """User key, host key, and a CA that signs the host key for the name `node`."""
    for name in ("user", "host", "ca"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    _run("ssh-keygen", "-q", "-s", str(folder / "ca"), "-h", "-I", "node", "-n", "node", str(folder / "host.pub"))
    (folder / "known_hosts").write_text(f"@cert-authority node {(folder / 'ca.pub').read_text()}")
    shutil.copy(folder / "user.pub", folder / "authorized_keys")


@contextmanager
def sshd(folder: Path) -> Iterator[Server]:
    """The server; `folder` has the keys."""
    port, seen = free_port(), folder if PATH else Path("/mnt")
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {seen}/host",
        f"HostCertificate {seen}/host-cert.pub",
        f"AuthorizedKeysFile {seen}/authorized_keys",
        f"PidFile {seen}/pid",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        f"Banner {seen}/banner",
    ]
    (folder / "banner").write_text("Authorized use only {\n")
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    command = [str(PATH), "-D", "-e", "-f", str(folder / "sshd_config")]
    if not PATH:
        # A node's file system has the server that this machine may lack.
        command = ["unshare", "--mount", "sh", "-c", _IN_A_ROOT, "sh", str(rootfs.ensure()), str(folder)]
    else:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 5
        while not (folder / "pid").exists():
            assert process.poll() is None, "sshd did not start"
            assert time.monotonic() < end, "sshd did not start in time"
            time.sleep(0.02)
        yield Server(port, config(folder, port))
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def pretender(folder: Path, says: bytes) -> Iterator[Server]:
    """Takes connections and says something that is no SSH, or nothing at all."""
    server, kept = socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            kept.append(connection)
            if says:
                connection.sendall(says)

    threading.Thread(target=serve, daemon=True).start()
    try:
        port = int(server.getsockname()[1])
        yield Server(port, config(folder, port))
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in kept:
            connection.close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=20, stdin=subprocess.DEVNULL)
