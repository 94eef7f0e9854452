"""Two network namespaces joined by a cable, and servers in one of them; nothing ever leaves them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from plumbline.remote.pods import Pod
from tests.collect import certificates

NEAR, FAR = "192.0.2.129", "192.0.2.130"


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, timeout=10, capture_output=not check)


@dataclass(frozen=True)
class Cable:
    """The near end is where probes start, by the UID of a pretended pod; the far end has servers."""

    uid: str
    near: str
    far: str
    pods: dict[str, Pod]


def wait_for(path: Path, seconds: float = 5) -> None:
    """Until a file is there."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def authority() -> certificates.Authority:
    """A certificate authority of these tests."""
    return certificates.Authority("test-ca")


@pytest.fixture(scope="session")
def cable(tmp_path_factory: pytest.TempPathFactory, authority: certificates.Authority) -> Iterator[Cable]:
    """The namespaces with their servers; gone afterwards."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    folder = tmp_path_factory.mktemp("cable")
    good, wrong = authority.leaf("good.test"), certificates.Authority("other-ca").leaf("good.test")
    for name, leaf in (("good", good), ("wrong", wrong)):
        (folder / f"{name}.pem").write_text(leaf.certificate + leaf.key)
    near, far = f"ct-{os.getpid()}-a", f"ct-{os.getpid()}-b"
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for name in (near, far):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", near, "link", "add", "net1", "mtu", "9216", "type", "veth", "peer", "name", "net1", "netns", far)
        for name, address in ((near, NEAR), (far, FAR)):
            _ip("-n", name, "address", "add", f"{address}/25", "dev", "net1")
            _ip("-n", name, "link", "set", "net1", "mtu", "9216", "up")
        subprocess.run(["ip", "netns", "exec", far, "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True, timeout=10)
        servers = [sys.executable, str(Path(__file__).with_name("servers.py")), str(folder)]
        processes.append(subprocess.Popen(["ip", "netns", "exec", far, *servers]))
        processes.append(subprocess.Popen(["ip", "netns", "exec", near, "sleep", "600"]))
        wait_for(folder / "ready")
        uid = "11111111-2222-3333-4444-555555555555"
        yield Cable(uid, near, far, {uid: Pod(uid, (processes[1].pid,))})
    finally:
        for process in processes:
            process.kill()
            process.wait(10)
        for name in (near, far):
            _ip("netns", "delete", name, check=False)
