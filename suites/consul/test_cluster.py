"""The agents are one cluster: members, a leader who stays, a quorum that may lose one, a key that all servers have."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.consul import Consul as Declared
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.consul import Consul
from plumbline.facts.replies import Tcp
from suites.consul.cases import Way, on, ways, whole


@check(
    "consul.server-answers",
    severity="critical",
    remedy="from the runner: curl --cacert … --cert … https://{name}:8501/v1/status/leader; on {name}: ss -ltn",
    consequence="whoever is given this server's address finds no Consul there",
    source="seed 001, F24 (L8391-8418)",
)
@for_each("node", on("api", "servers"))
def test_a_server_answers_the_runner(node: str, consul: Consul) -> None:
    """Each server's API answers from where the runner stands, over TLS, with a certificate that is trusted."""
    silence = consul.silence(node)

    assert not silence, found(silence, expected="an answer")


@check(
    "consul.rpc-reached",
    severity="critical",
    kind="active",
    remedy="on {node}: nc -vz {item} 8300; on the target: nft list ruleset; ss -ltn",
    consequence="the agent cannot ask that server, and servers cannot agree",
    source="seed 001, fact 124 (L7215) and F24",
)
@for_each("way", ways("rpc"))
def test_rpc_of_a_server_is_reached(way: Way, facts: Facts) -> None:
    """Each agent reaches port 8300 of each server."""
    reply = facts.probe(Tcp, "consul-rpc", source=way.source, target=way.target)

    assert reply.ok, found(reply, expected="a connection to port 8300")


@check(
    "consul.gossip-reached",
    severity="critical",
    kind="active",
    remedy="on {node}: nc -vz {item} 8301; on the target: nft list ruleset; ss -ltnu",
    consequence="one of the two counts as failed to the other, and its services as dead",
    source="seed 001, fact 124 (L7229)",
)
@for_each("way", ways("gossip"))
def test_gossip_of_an_agent_is_reached(way: Way, facts: Facts) -> None:
    """Each agent reaches port 8301 of each other."""
    reply = facts.probe(Tcp, "consul-gossip", source=way.source, target=way.target)

    assert reply.ok, found(reply, expected="a connection to port 8301")


@check(
    "consul.member",
    severity="critical",
    remedy="on {name}: consul members; journalctl -u consul -n 50",
    consequence="{name} is not part of the cluster: none of its services is found",
    source="seed 001, fact 124 (L8278) and F15",
)
@for_each("node", on("member"))
def test_a_node_is_an_alive_member_to_every_server(node: str, consul: Consul, bed: Bed) -> None:
    """Every server that answers sees the node alive, at its own address, as server or client as declared."""
    assert bed.consul
    seen = {server: consul.members(server).get(node) for server in consul.speaking if server != node}
    wrong = [
        f"{server} sees it {m.state if m else 'nowhere'}" for server, m in seen.items() if not m or m.state != "alive"
    ]
    elsewhere = {m.address for m in seen.values() if m} - {str(bed.nodes[node].oobi)}

    assert not wrong, found("; ".join(wrong), expected="alive to every server")
    assert not elsewhere, found(f"at {', '.join(sorted(elsewhere))}", expected=bed.nodes[node].oobi)


@check(
    "consul.strangers",
    severity="major",
    remedy="consul members; on the stranger: consul leave; or declare it in the bed file",
    consequence="an agent that nobody declared takes part, with the gossip key and a way to the servers",
    source="seed 001, fact 124 and S38",
)
@for_each("declared", whole("members", "clients"))
def test_nobody_else_is_a_member(declared: Declared, consul: Consul) -> None:
    """Every member that is alive is a node that the bed file declares to have an agent."""
    alive = {m.name for server in consul.speaking for m in consul.members(server).values() if m.state == "alive"}
    strangers = sorted(alive - set(declared.nodes))

    assert not strangers, found(f"also members: {', '.join(strangers)}", expected=", ".join(declared.nodes))


@check(
    "consul.leader",
    severity="critical",
    remedy="consul operator raft list-peers; on each server: journalctl -u consul -n 50; is 8300 open between them?",
    consequence="nothing can be written, no service registered, and what is read may be old",
    source="seed 001, fact 124 and F24",
)
@for_each("declared", whole("leader", "servers"))
def test_most_servers_follow_one_leader(declared: Declared, consul: Consul) -> None:
    """Most of the servers name the same leader, which is one of them, and still do so a moment later."""
    named = {server: consul.leaders(server) for server in consul.speaking}
    most = len(declared.servers) // 2 + 1
    agreed = [leader for leader in declared.servers if list(named.values()).count((leader, leader)) >= most]

    assert agreed, found(
        "; ".join(
            f"{s} names {' and then '.join(dict.fromkeys(n or 'nobody' for n in two))}" for s, two in named.items()
        ),
        expected=f"the same one, named by {most} of {len(declared.servers)}",
    )


@check(
    "consul.follows",
    severity="major",
    remedy="on {name}: journalctl -u consul -n 50; consul operator autopilot state; is 8300 open to the leader?",
    consequence="what is read at {name} is old, and the next server that is lost may take the quorum with it",
    source="seed 001, S12 (L11406, L11427)",
)
@for_each("node", on("follows", "servers"))
def test_a_server_follows_the_leader_of_the_others(node: str, consul: Consul) -> None:
    """The server names the leader that the others name."""
    own, others = consul.leaders(node), [consul.leaders(other) for other in consul.speaking if other != node]
    named = {leader for _, leader in others if leader}

    assert own[1], found("it knows of no leader", expected=", ".join(sorted(named)) or "a leader")
    assert own[1] in named or not named, found(f"{own[1]} leads it", expected=", ".join(sorted(named)))


@check(
    "consul.leader-steady",
    severity="major",
    remedy="on each server: journalctl -u consul | grep -E 'leadership|election'; look for pauses, lost packets, load",
    consequence="writes fail again and again for moments: a leader that changes all the time is no health",
    source="seed 001, S12 (L11406, L11427)",
)
@for_each("declared", whole("steady", "leader"))
def test_the_leader_stays(declared: Declared, consul: Consul, bed: Bed) -> None:
    """Servers have not become leaders more often than the bed file allows in its time."""
    counts = {server: consul.agent(server).elections for server in declared.servers}
    allowed, within = declared.leader.changes, declared.leader.within.total_seconds()

    assert sum(counts.values()) <= allowed, found(
        f"{sum(counts.values())} elections in {within:.0f} s: {', '.join(f'{n} won {c}' for n, c in counts.items() if c)}",
        expected=f"at most {allowed}",
    )


@check(
    "consul.peers",
    severity="critical",
    remedy="consul operator raft list-peers; on the one that is missing: systemctl restart consul",
    consequence="the quorum is counted over other servers than one thinks",
    source="seed 001, fact 124 (L7215)",
)
@for_each("declared", whole("peers", "servers"))
def test_the_voters_are_the_declared_servers(declared: Declared, consul: Consul) -> None:
    """Every server that answers counts exactly the declared servers as peers."""
    wanted = sorted(declared.servers)
    other = {server: peers for server in consul.speaking if (peers := consul.peers(server)) != wanted}

    assert not other, found(
        "; ".join(f"{s} counts {', '.join(p)}" for s, p in other.items()), expected=", ".join(wanted)
    )


@check(
    "consul.failure-tolerance",
    severity="major",
    remedy="consul operator autopilot state; see the server that is not healthy",
    consequence="the next server that fails takes the datacenter with it",
    source="seed 001, L211 and fact 124",
)
@for_each("declared", whole("tolerance", "servers"))
def test_a_server_may_be_lost(declared: Declared, consul: Consul) -> None:
    """Every server is healthy to the leader, and as many may fail as their number allows."""
    healthy, tolerated, bad = consul.tolerance
    wanted = (len(declared.servers) - 1) // 2

    assert healthy, found(f"not healthy: {', '.join(bad) or 'the cluster'}", expected="every server healthy")
    assert tolerated == wanted, found(f"{tolerated} may fail", expected=wanted)


@check(
    "consul.key-replicated",
    severity="critical",
    kind="active",
    remedy="consul kv put plumbline/gate/x 1 on one server, consul kv get -stale on another; journalctl -u consul",
    consequence="what is written is lost with a server, or read by nobody",
    source="seed 001, fact 124 (L211)",
)
@for_each("declared", whole("key", "servers"))
def test_a_key_written_at_one_server_is_read_at_each(declared: Declared, consul: Consul) -> None:
    """A key that one server acknowledged is soon in every server's own data, and can be deleted again."""
    key = consul.key
    without = [server for server, after in key.seen.items() if after is None]

    assert key.written, found(f"{key.by} did not take it: {key.error}", expected="true")
    assert not without, found(f"written at {key.by}, never seen at {', '.join(without)}", expected="seen at each")
    assert key.deleted, found("it could not be deleted", expected="deleted")
