"""Every agent works as it was meant to: version, role, encryption, access, and where it listens."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.consul import Consul
from suites.consul.cases import Listening, binds, on, over_https, setting

_RESTART = "on {node}: see /etc/consul.d/consul.hcl; consul validate /etc/consul.d; systemctl restart consul"


@check(
    "consul.version",
    severity="minor",
    remedy="on {node}: consul version; bring it to the version of the others",
    consequence="servers of different versions may not understand each other's log",
    source="seed 001, fact 124 (L7222)",
)
@for_each("node", setting("version", where="version"))
def test_the_agent_is_of_the_declared_version(node: str, consul: Consul, bed: Bed) -> None:
    """Every agent is of one version, the declared one."""
    assert bed.consul
    version = consul.agent(node).self["version"]

    assert version == bed.consul.version, found(version, expected=bed.consul.version)


@check(
    "consul.datacenter",
    severity="critical",
    remedy=_RESTART,
    consequence="{node} looks for servers of another datacenter and never joins this one",
    source="seed 001, fact 124 (L7226)",
)
@for_each("node", setting("datacenter", where="datacenter"))
def test_the_agent_is_of_the_declared_datacenter(node: str, consul: Consul, bed: Bed) -> None:
    """Every agent belongs to the declared datacenter, under the name of its node."""
    said = consul.agent(node).self
    assert bed.consul

    assert said["datacenter"] == bed.consul.datacenter, found(said["datacenter"], expected=bed.consul.datacenter)
    assert said["name"] == node, found(f"it calls itself {said['name']}", expected=node)


@check(
    "consul.role",
    severity="critical",
    remedy=_RESTART,
    consequence="the number of servers is not the one that the quorum was planned for",
    source="seed 001, fact 124 (L7215, L7227)",
)
@for_each("node", setting("role"))
def test_the_agent_is_server_or_client_as_declared(node: str, consul: Consul, bed: Bed) -> None:
    """Servers are servers, clients are clients."""
    assert bed.consul
    server, wanted = consul.agent(node).self["server"], node in bed.consul.servers

    assert server == wanted, found(_kind(server), expected=_kind(wanted))


@check(
    "consul.bootstrap-expect",
    severity="major",
    remedy=_RESTART,
    consequence="a cluster that starts from nothing elects a leader too early, and splits in two",
    source="seed 001, fact 124 (L8437)",
)
@for_each("node", setting("expect", "servers", where="servers"))
def test_a_server_expects_as_many_servers_as_there_are(node: str, consul: Consul, bed: Bed) -> None:
    """bootstrap_expect is the number of servers."""
    assert bed.consul
    expect, wanted = consul.agent(node).self["bootstrap_expect"], len(bed.consul.servers)

    assert expect == wanted, found(f"bootstrap_expect = {expect}", expected=wanted)


@check(
    "consul.rejoin-age",
    severity="minor",
    remedy=_RESTART,
    consequence="a server that was away comes back with data that are too old, or is refused too early",
    source="seed 001, fact 129 (L8441)",
)
@for_each("node", setting("rejoin-age", "servers", where="rejoin_age"))
def test_a_server_refuses_to_rejoin_after_the_declared_time(node: str, consul: Consul, bed: Bed) -> None:
    """server_rejoin_age_max is as declared."""
    assert bed.consul
    age, wanted = consul.agent(node).self["rejoin_age"], _go(bed.consul.rejoin_age.total_seconds())

    assert age == wanted, found(age, expected=wanted)


@check(
    "consul.default-deny",
    severity="critical",
    remedy=_RESTART,
    consequence="who shows no token may read and write everything by way of {node}",
    source="seed 001, fact 125 (L7232)",
)
@for_each("node", setting("default-policy"))
def test_what_is_not_allowed_is_denied(node: str, consul: Consul) -> None:
    """ACLs are on, and their default is to deny."""
    said = consul.agent(node).self

    assert said["acl"], found("acl.enabled = false", expected=True)
    assert said["default_policy"] == "deny", found(said["default_policy"], expected="deny")


@check(
    "consul.rpc-tls",
    severity="critical",
    remedy=_RESTART,
    consequence="whoever reaches port 8300 can speak to {node} as a server or agent, or take part as one",
    source="seed 001, fact 127 (L7236)",
)
@for_each("node", setting("rpc-tls"))
def test_rpc_is_by_tls_in_both_directions(node: str, consul: Consul, bed: Bed) -> None:
    """RPC wants a certificate of who comes, verifies where it goes, host name included, and speaks TLS 1.2 or newer."""
    tls = consul.agent(node).rpc
    assert bed.consul
    wanted = {"verify_incoming": tls.incoming, "verify_outgoing": tls.outgoing, "verify_server_hostname": tls.hostname}
    off = [name for name, is_on in wanted.items() if not is_on]

    assert not off, found(f"off: {', '.join(off)}", expected="on")
    assert tls.least in ("TLSv1_2", "TLSv1_3"), found(tls.least or "any version", expected="TLSv1_2 or newer")


@check(
    "consul.https-tls",
    severity="major",
    remedy=_RESTART,
    consequence="the API of {node} can be spoken to by whoever has a token and no certificate, or over an old TLS",
    source="seed 001, fact 127 (L7234)",
)
@for_each("node", over_https(setting("https-tls", "servers", where="client_certificate")))
def test_https_wants_what_is_declared(node: str, consul: Consul, bed: Bed) -> None:
    """HTTPS asks for a client's certificate if the bed file says so, and speaks TLS 1.2 or newer."""
    tls = consul.agent(node).https
    assert bed.consul

    assert tls.incoming == bed.consul.client_certificate, found(
        f"verify_incoming = {tls.incoming}", expected=bed.consul.client_certificate
    )
    assert tls.least in ("TLSv1_2", "TLSv1_3"), found(tls.least or "any version", expected="TLSv1_2 or newer")


@check(
    "consul.auto-encrypt",
    severity="major",
    remedy=_RESTART,
    consequence="clients get no certificates from their servers, and fall out when those that they have expire",
    source="seed 001, fact 127 (L7231)",
)
@for_each("node", setting("auto-encrypt"))
def test_clients_get_their_certificates_from_servers(node: str, consul: Consul, bed: Bed) -> None:
    """Servers hand out certificates for RPC, clients ask for them."""
    said = consul.agent(node).self
    assert bed.consul
    key, word = ("auto_encrypt_allowed", "allow_tls") if node in bed.consul.servers else ("auto_encrypt", "tls")

    assert said[key], found(f"auto_encrypt.{word} = false", expected=True)


@check(
    "consul.gossip-encrypted",
    severity="critical",
    remedy=_RESTART,
    consequence="whoever reaches port 8301 can read the gossip, and join it",
    source="seed 001, fact 126 (L7230)",
)
@for_each("node", setting("gossip"))
def test_the_gossip_is_encrypted(node: str, consul: Consul) -> None:
    """The gossip is encrypted, and what is not encrypted is refused."""
    said = consul.agent(node).self

    assert said["encrypted"], found("the gossip is in the clear", expected="encrypted")
    assert said["gossip_verified"], found("what comes in the clear is accepted", expected="encrypt_verify_incoming")


@check(
    "consul.no-scripts",
    severity="critical",
    remedy=_RESTART,
    consequence="whoever may register a service can run programs on {node}",
    source="seed 001, fact 132 (L7400-7414)",
)
@for_each("node", setting("scripts"))
def test_checks_run_no_programs(node: str, consul: Consul) -> None:
    """Checks are connections and pages, never programs of the node."""
    assert not consul.agent(node).self["script_checks"], found("enable_script_checks = true", expected=False)


@check(
    "consul.gossip-key",
    severity="critical",
    remedy="on {name}: compare encrypt in /etc/consul.d; rm /opt/consul/serf/*.keyring; systemctl restart consul",
    consequence="{name} hears nobody and nobody hears it, or will so after its next start",
    source="seed 001, F27 and fact 126 (L8440)",
)
@for_each("node", on("keyring"))
def test_the_gossip_key_is_the_one_of_the_others(node: str, consul: Consul, bed: Bed) -> None:
    """The configured key is in the keyring of each pool, and most other nodes have the same one."""
    assert bed.consul
    own = consul.agent(node).keyrings
    others = [consul.agent(other).keyrings.configured for other in bed.consul.nodes if other != node]
    pools = {"LAN": own.lan, **({"WAN": own.wan} if node in bed.consul.servers else {})}
    lacking = [pool for pool, keys in pools.items() if own.configured not in keys]

    assert own.configured, found("no key is configured", expected="encrypt in /etc/consul.d")
    assert 2 * others.count(own.configured) >= len(others), found(
        f"{others.count(own.configured)} of {len(others)} other nodes have its key", expected="one key everywhere"
    )
    assert not lacking, found(f"the configured key is not in the keyring of {', '.join(lacking)}", expected="in both")


@check(
    "consul.bind",
    severity="major",
    remedy="on {node}: ss -ltnup | grep consul; see addresses and ports in /etc/consul.d/consul.hcl",
    consequence="what asks {node} for {item} asks in vain, or it answers those who should not reach it",
    source="seed 001, S16 (L7228, L7332, L9431, L9919, L12104)",
)
@for_each("port", binds)
def test_an_agent_listens_where_it_should_and_nowhere_else(port: Listening, facts: Facts, bed: Bed) -> None:
    """Each port of an agent is open on the declared addresses of its node, and on no other."""
    defaults = {"http": 8500, "https": 8501, "dns": 8600}
    number = port.bind.port if port.bind else defaults[port.kind]
    protocols = ("tcp", "udp") if port.kind == "dns" else ("tcp",)
    listening = {p: frozenset(facts.node(port.node).listening(p, number)) for p in protocols}

    for protocol, addresses in listening.items():
        assert _everywhere(addresses) == port.addresses, found(
            f"{protocol} {number} on {_or_nothing(addresses)}", expected=_or_nothing(port.addresses)
        )


def _kind(server: bool) -> str:
    return "a server" if server else "a client"


def _or_nothing(addresses: frozenset[str]) -> str:
    return ", ".join(sorted(addresses)) or "no address"


def _everywhere(addresses: frozenset[str]) -> frozenset[str]:
    """Go listens on :: where it is told 0.0.0.0, and so for both families."""
    return frozenset("0.0.0.0" if address == "::" else address for address in addresses)


def _go(seconds: float) -> str:
    """A duration as Go writes it: 168h0m0s."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}h{rest // 60}m{rest % 60}s"
