"""The inspecting firewall between an agent, two persona VLANs and a management VLAN, on wires of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from lab import ngfw, rootfs
from lab.disks import FileSpec
from lab.ngfw.bad_origins import Kind, bad_origin
from lab.pki import KeyPair, Pki
from plumbline.bed import Bed, load
from tests.lab.wires import Wires, node_root, until, wires

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

COMMUNITY = "a-community"
GOOD, ORIGIN, AGENT = "persona-1.persona.internal", "10.1.1.2", "172.16.0.10"
BAD: tuple[Kind, ...] = ("expired", "not-yet-valid", "self-signed", "wrong-name")
SPOKES = {
    "agent": ("eth1.20", "172.16.0.1/16", f"{AGENT}/16"),
    "other": ("eth1.30", "172.17.0.1/16", "172.17.0.10/16"),
    "persona": ("eth1.101", "10.1.1.30/27", f"{ORIGIN}/27"),
    "second": ("eth1.102", "10.1.2.30/27", "10.1.2.2/27"),
    "snmp": ("eth1.99", "192.168.90.1/24", "192.168.90.2/24"),
    "oobi": ("eth0", "10.0.0.5/24", "10.0.0.250/24"),
}
AS_THE_UNIT_DOES = """
set -e
ngfw-rules
install -d -o haproxy -m 700 /run/ngfw
ngfw-forge
exec setpriv --reuid haproxy --regid haproxy --clear-groups --inh-caps -all,+net_admin --bounding-set -all,+net_admin \
    --ambient-caps +net_admin haproxy -db -f /etc/ngfw/haproxy.cfg
"""


@dataclass(frozen=True)
class Bench:
    """Both sides of the firewall, and what its node wrote."""

    wires: Wires
    bed: Bed
    pki: Pki
    root: Path

    def records(self) -> list[dict[str, Any]]:
        return [json.loads("{" + line.partition("{")[2]) for line in self._log.read_text().splitlines() if "{" in line]

    @property
    def _log(self) -> Path:
        return self.wires.folder / "ngfw.setpriv.out"

    def ask(
        self, name: str, address: str = ORIGIN, *, alpn: str = "http/1.1", trusts: str = "ngfw-ca", sni: bool = True
    ) -> Answer:
        context = ssl.create_default_context(cadata=self.pki.authority(trusts).certificate.decode())
        context.set_alpn_protocols([alpn])
        context.check_hostname = sni
        with self.wires.inside("agent"):
            plain = socket.create_connection((address, 443), timeout=5)
        with context.wrap_socket(plain, server_hostname=name if sni else None) as tls:
            certificate = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
            port, protocol, resumed = tls.getsockname()[1], tls.selected_alpn_protocol(), tls.session_reused
            text = ""
            if alpn == "http/1.1":
                tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
                while data := tls.recv(65536):
                    text += data.decode()
        return Answer(certificate, protocol, bool(resumed), address, port, text)


@dataclass(frozen=True)
class Answer:
    """What an agent got on one connection."""

    certificate: x509.Certificate
    alpn: str | None
    resumed: bool
    address: str
    port: int
    text: str


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bed, folder = load(Path(__file__).parent / "beds/ngfw.yaml"), tmp_path_factory.mktemp("ngfw")
    pki = Pki(folder / "pki")
    files = ngfw.files(bed, pki, {"dut-snmp-secrets/SNMP_COMMUNITY": COMMUNITY})
    caddy = shutil.which("caddy") or str(Path(sys.executable).with_name("caddy"))
    with ExitStack() as stack:
        wired = stack.enter_context(wires(folder, "ngfw", SPOKES, mtu=9216))
        root = stack.enter_context(node_root(rootfs.ensure(), folder, files))
        made = Bench(wired, bed, pki, root)
        origins = folder / "Caddyfile"
        origins.write_text(_origins(made))
        for index in range(len(BAD)):
            wired.run("persona", "ip", "address", "add", f"10.1.1.{3 + index}/27", "dev", "net1")
        argv = [caddy, "run", "--config", str(origins), "--adapter", "caddyfile"]
        stack.enter_context(wired.background("persona", argv, lambda: _listens(made, "persona")))
        journal = root / "run/systemd/journal/dev-log"
        journal.parent.mkdir(parents=True)
        # setpriv dies with the test, and with it the reader of the socket that journald has on a node.
        argv = ["setpriv", "--pdeathsig", "TERM", "chroot", str(root), "socat", "-u"]
        argv += ["UNIX-RECV:/run/systemd/journal/dev-log,mode=666", "STDOUT"]
        stack.enter_context(wired.background("ngfw", argv, journal.exists))
        node = ["chroot", str(root), "sh", "-c", AS_THE_UNIT_DOES]
        stack.enter_context(wired.background("ngfw", node, lambda: _listens(made, "ngfw")))
        yield made


def _origins(bench: Bench) -> str:
    """A Caddy that is persona-1 and, on the addresses after it, each bad origin; it says who asked."""
    authority = bench.pki.authority("persona-ca")
    pairs: list[KeyPair] = [bench.pki.leaf("persona-ca", "persona-1", GOOD, dns=[GOOD])]
    pairs += [bad_origin(kind, _bad(bench.bed, kind)[0], authority) for kind in BAD]
    text = "{\n admin off\n auto_https off\n persist_config off\n}\n"
    for index, pair in enumerate(pairs):
        place = bench.wires.folder / f"origin-{index}"
        place.with_suffix(".crt").write_bytes(pair.certificate)
        place.with_suffix(".key").write_bytes(pair.key)
        text += f"https://:443 {{\n bind 10.1.1.{2 + index}\n tls {place}.crt {place}.key\n"
        text += ' respond "from={remote_host} resumed={http.request.tls.resumed}"\n}\n'
    return text


def _bad(bed: Bed, kind: Kind) -> tuple[str, str]:
    assert bed.ngfw is not None
    return bed.ngfw.bad_origins[kind].name, str(bed.ngfw.bad_origins[kind].address)


def _listens(bench: Bench, role: str) -> bool:
    return bench.wires.run(role, "ss", "-Hltn").strip() != ""


def _icmp_verdict(bench: Bench, role: str, kind: socket.SocketKind, address: str, port: int) -> tuple[str, int, int]:
    """Who refused a packet, and with which ICMP type and code (RFC 792); BlockingIOError where nobody did."""
    with bench.wires.inside(role):
        asking = socket.socket(socket.AF_INET, kind)
    with asking:
        asking.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        asking.settimeout(1)
        with suppress(OSError):  # the refusal itself is read from the error queue
            asking.connect((address, port))
            asking.send(b"?")
            asking.recv(1)
        said = asking.recvmsg(64, 512, socket.MSG_ERRQUEUE)[1][0][2]
    _, _, icmp_type, code = struct.unpack_from("=IBBB", said)
    return socket.inet_ntoa(said[20:24]), icmp_type, code


def test_the_agent_sees_the_ngfw_ca_and_reaches_the_persona(bench: Bench) -> None:
    answer = bench.ask(GOOD)
    assert answer.certificate.issuer.rfc4514_string() == "CN=ngfw-ca"
    names = answer.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [GOOD]
    assert answer.text.startswith("HTTP/1.1 200")


def test_an_agent_that_trusts_only_the_persona_ca_is_refused(bench: Bench) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        bench.ask(GOOD, trusts="persona-ca")


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_alpn_is_negotiated(bench: Bench, alpn: str) -> None:
    assert bench.ask(GOOD, alpn=alpn).alpn == alpn


def test_h2_goes_through_on_both_legs(bench: Bench) -> None:
    ca = bench.wires.folder / "pki/ngfw-ca.crt"
    out = bench.wires.run(
        "agent", "curl", "-s", "--max-time", "5", "--http2", "--cacert", str(ca), "--resolve", f"{GOOD}:443:{ORIGIN}",
        "-w", " %{http_version} %{http_code} %{local_port}", f"https://{GOOD}/",
    )  # fmt: skip
    *_, version, code, port = out.split()
    assert (version, code) == ("2", "200")
    record = _record(bench, ORIGIN, int(port))
    assert (record["leg1"]["alpn"], record["leg2"]["alpn"]) == ("h2", "h2")


def _record(bench: Bench, address: str, port: int) -> dict[str, Any]:
    """The kernel may give one port to connections to two addresses: both ends name the connection."""
    found: list[dict[str, Any]] = []
    ends = (f"{AGENT}:{port}", f"{address}:443")

    def there() -> bool:
        found[:] = [record for record in bench.records() if (record["client"], record["origin"]) == ends]
        return bool(found)

    until(there, 3, f"no record of the connection from {AGENT}:{port}")
    return found[0]


def test_the_record_names_client_origin_and_both_legs(bench: Bench) -> None:
    record = _record(bench, ORIGIN, bench.ask(GOOD).port)
    serial = x509.load_pem_x509_certificate((bench.wires.folder / "origin-0.crt").read_bytes()).serial_number
    assert (record["origin"], record["sni"], record["status"]) == (f"{ORIGIN}:443", GOOD, 200)
    assert record["leg2"]["verified"] is True
    assert record["leg2"]["issuer"] == "persona-ca"
    assert int(record["leg2"]["serial"], 16) == serial
    assert (record["leg2"]["resumed"], record["leg1"]["resumed"]) == (False, False)


def test_the_persona_sees_the_address_of_the_agent(bench: Bench) -> None:
    assert f"from={AGENT} resumed=false" in bench.ask(GOOD).text


def test_no_leg_is_resumed(bench: Bench) -> None:
    for _ in range(3):
        assert "resumed=false" in bench.ask(GOOD).text
    argv = ["openssl", "s_client", "-reconnect", "-tls1_2", "-connect", f"{ORIGIN}:443", "-servername", GOOD]
    out = bench.wires.run("agent", *argv, check=False)
    assert out.count("New, TLSv1.2") == 6
    assert "Reused" not in out


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_origin_is_not_laundered(bench: Bench, kind: Kind) -> None:
    answer = bench.ask(*_bad(bench.bed, kind))
    assert answer.text.startswith("HTTP/1.1 503")
    assert "from=" not in answer.text
    record = _record(bench, answer.address, answer.port)
    assert record["leg2"]["verified"] is False
    assert "verify failed" in record["leg2"]["error"]


def test_the_name_must_be_that_of_the_origin(bench: Bench) -> None:
    assert bench.ask("persona-2.persona.internal").text.startswith("HTTP/1.1 503")


def test_a_client_without_sni_is_refused(bench: Bench) -> None:
    assert bench.ask(GOOD, sni=False).text.startswith("HTTP/1.1 421")


@pytest.mark.parametrize(
    ("role", "address", "port"),
    [
        ("agent", ORIGIN, 8443),
        ("agent", ORIGIN, 80),
        ("agent", "172.16.0.1", 8443),
        ("agent", "172.16.0.1", 443),
        ("agent", "172.17.0.10", 443),
        ("agent", "10.0.0.250", 22),
        ("agent", "10.0.0.5", 22),
        ("persona", "10.1.2.2", 443),
        ("persona", AGENT, 443),
        ("snmp", ORIGIN, 443),
        ("oobi", ORIGIN, 443),
    ],
)
def test_what_no_flow_declares_is_refused_by_the_firewall(bench: Bench, role: str, address: str, port: int) -> None:
    by, icmp_type, code = _icmp_verdict(bench, role, socket.SOCK_STREAM, address, port)
    assert (icmp_type, code) == (3, 13)
    assert by in (SPOKES[role][1].partition("/")[0], "10.0.0.5")


def test_quic_is_refused(bench: Bench) -> None:
    assert _icmp_verdict(bench, "agent", socket.SOCK_DGRAM, ORIGIN, 443) == ("172.16.0.1", 3, 13)


def test_a_full_frame_crosses_unfragmented(bench: Bench) -> None:
    bench.wires.run("agent", "ping", "-c1", "-W1", "-Mdo", "-s9188", ORIGIN)
    assert "100% packet loss" in bench.wires.run("agent", "ping", "-c1", "-W1", "-Mdo", "-s9189", ORIGIN, check=False)


def test_persona_vlans_cannot_ping_each_other(bench: Bench) -> None:
    assert "Packet filtered" in bench.wires.run("persona", "ping", "-c1", "-W1", "10.1.2.2", check=False)


def test_dscp_is_kept_on_both_legs_and_on_what_is_forwarded(bench: Bench) -> None:
    marks = {"persona": ("tcp dport 443", "icmp type echo-request"), "agent": ("tcp sport 443", "icmp type echo-reply")}
    for role, (tls, echo) in marks.items():
        rules = "".join(f"{match} ip dscp {op} af41 counter; " for match in (tls, echo) for op in ("==", "!="))
        bench.wires.run(role, "nft", f"table ip t {{ chain c {{ type filter hook input priority 0; {rules}}}; }}")
    bench.ask(GOOD)
    bench.wires.run("agent", "ping", "-c1", "-W1", "-Q", "0x88", ORIGIN)
    for role in marks:
        table = json.loads(bench.wires.run(role, "nft", "-j", "list", "table", "ip", "t"))["nftables"]
        counts = [entry["rule"]["expr"][-1]["counter"]["packets"] for entry in table if "rule" in entry]
        assert counts[0] > 3, "TLS in its class"
        assert counts[1] == 0, "TLS out of its class"
        assert counts[2:] == [1, 0], "ping in its class, out of it"


def test_rules_can_be_laid_again_without_a_doubled_route_or_rule(bench: Bench) -> None:
    bench.wires.run("ngfw", "chroot", str(bench.root), "ngfw-rules")
    assert bench.wires.run("ngfw", "ip", "rule", "show", "pref", "100").count("\n") == 1
    assert bench.ask(GOOD).text.startswith("HTTP/1.1 200")


def test_snmp_answers_on_its_own_address_only(bench: Bench) -> None:
    argv = ["chroot", str(bench.root), "snmpd", "-f", "-Lo", "-I", "-smux"]
    with bench.wires.background("ngfw", argv, lambda: ":161" in bench.wires.run("ngfw", "ss", "-Hlun")):
        get = ["chroot", str(bench.root), "snmpget", "-v2c", "-t1", "-r0", "-Oqv"]
        names = bench.wires.run("snmp", *get, "-c", COMMUNITY, "192.168.90.1", ".1.3.6.1.2.1.31.1.1.1.1.1")
        assert names.strip() == '"lo"'
        assert bench.wires.run("snmp", *get, "-c", "wrong", "192.168.90.1", ".1.3.6.1.2.1.1.5.0", check=False) == ""
        assert bench.wires.run("agent", *get, "-c", COMMUNITY, "172.16.0.1", ".1.3.6.1.2.1.1.5.0", check=False) == ""


@pytest.mark.parametrize(("verdict", "rule"), [("refused", "reject"), ("dropped", "drop"), ("allowed", "accept")])
def test_the_verdict_on_quic_is_the_beds(bench: Bench, verdict: str, rule: str) -> None:
    declared = bench.bed.ngfw
    assert declared is not None
    bed = bench.bed.model_copy(update={"ngfw": declared.model_copy(update={"udp_443": verdict})})
    rules = ngfw.files(bed, bench.pki, {"dut-snmp-secrets/SNMP_COMMUNITY": COMMUNITY})["/etc/ngfw/rules.nft"].content
    assert [line for line in str(rules).splitlines() if "udp dport 443" in line and rule in line]


def test_keys_are_for_root_only(bench: Bench) -> None:
    files: dict[str, FileSpec] = ngfw.files(bench.bed, bench.pki, {"dut-snmp-secrets/SNMP_COMMUNITY": COMMUNITY})
    private = [name for name, spec in files.items() if re.search(f"PRIVATE KEY|{COMMUNITY}", str(spec.content))]
    assert private
    assert all(files[name].mode == 0o600 for name in private)
