"""The provider's stand-in and one client on its VLAN, on wires of their own (needs root)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from lab import isp, rootfs
from lab.pki import Pki
from plumbline.bed import load
from tests.lab.wires import Wires, node_root, wires

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

OWN, ALSO = "192.168.40.1", "8.8.8.8"
SPOKES = {
    "cloner": ("eth1.40", f"{OWN}/24", "192.168.40.2/24"),
    "oobi": ("eth0", "10.0.0.6/24", "10.0.0.250/24"),
}
NAMES = """
exec dnsmasq --keep-in-foreground --conf-file=/etc/isp/dnsmasq.conf --pid-file=
"""
RULES_AND_SITE = f"""
set -e
ip address add {ALSO}/32 dev lo
nft -f /etc/isp/rules.nft
install -d -o haproxy -m 700 /run/isp
install -o haproxy -g haproxy -m 400 /etc/isp/site.pem /run/isp/site.pem
exec setpriv --reuid haproxy --regid haproxy --clear-groups --inh-caps -all,+net_bind_service \
    --ambient-caps +net_bind_service haproxy -db -f /etc/isp/haproxy.cfg
"""


@dataclass(frozen=True)
class Bench:
    """The wires, and the root of a node for the client's programs."""

    wires: Wires
    root: Path

    def client(self, *argv: str) -> str:
        """What a program of the node's root file system says in the client's namespace."""
        return self.wires.run("cloner", "chroot", str(self.root), *argv, check=False)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bed, folder = load(Path(__file__).parent / "beds/isp.yaml"), tmp_path_factory.mktemp("isp")
    pki = Pki(folder / "pki")
    with ExitStack() as stack:
        wired = stack.enter_context(wires(folder, "isp", SPOKES, mtu=1500))
        root = stack.enter_context(node_root(rootfs.ensure(), folder, isp.files(bed, pki, "isp")))
        (root / "ca.crt").write_bytes(pki.authority(isp.AUTHORITY).certificate)
        for script, port in ((RULES_AND_SITE, ":443 "), (NAMES, ":53 ")):
            argv = ["chroot", str(root), "sh", "-c", script]
            ready = partial(_listens, wired, port)
            stack.enter_context(wired.background("isp", argv, ready))
        yield Bench(wired, root)


def _listens(wired: Wires, port: str) -> bool:
    return port in wired.run("isp", "ss", "-Hltn")


def test_a_lease_has_an_address_of_the_range_and_the_declared_route(bench: Bench) -> None:
    (bench.root / "tell").write_text("#!/bin/sh\necho $1 $ip $router $staticroutes\n")
    (bench.root / "tell").chmod(0o755)
    asked = ("-O", "staticroutes", "-O", "router", "-n", "-q", "-f", "-t", "3", "-T", "1", "-s", "/tell")
    told = bench.client("busybox", "udhcpc", "-i", "net1", *asked)
    assert re.search(rf"bound 192\.168\.40\.1\d\d {OWN} {ALSO}/32 {OWN}", told)


def test_the_gateway_and_the_further_address_answer_ping(bench: Bench) -> None:
    for address in (OWN, ALSO):
        assert "1 received" in bench.client("ping", "-c1", "-W1", address)


def test_the_resolver_knows_its_zone_and_nothing_else(bench: Bench) -> None:
    assert OWN in bench.client("busybox", "nslookup", isp.SITE, ALSO)
    assert "NXDOMAIN" in bench.client("busybox", "nslookup", "elsewhere.org", ALSO)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_site_can_be_cloned(bench: Bench, scheme: str) -> None:
    options = ("-sf", "--max-time", "5", "--cacert", "/ca.crt", "--resolve", f"{isp.SITE}:443:{OWN}")
    page = bench.client("curl", *options, "--resolve", f"{isp.SITE}:80:{OWN}", f"{scheme}://{isp.SITE}/")
    assert '<a href="/about.html">' in page


def test_it_forwards_nothing(bench: Bench) -> None:
    assert "Packet filtered" in bench.client("ping", "-c1", "-W1", "10.0.0.6")
    assert "1 received" not in bench.client("ping", "-c1", "-W1", "10.0.0.250")
