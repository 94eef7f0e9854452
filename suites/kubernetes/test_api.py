"""The API server answers, is of the declared version, is reached over management and lets nobody in unnamed."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.collect.rights import Right
from plumbline.facts import Facts, Tcp, Tls
from plumbline.outcome import Unknown
from plumbline.release import is_of
from suites.kubernetes import cases
from suites.kubernetes.cases import Trait


@check(
    "kubernetes.api-answers",
    severity="critical",
    remedy="on the control plane: journalctl -u kube-apiserver -n 50; systemctl restart kube-apiserver",
    consequence="nothing can be known of the cluster, and nothing in it can be mended by itself",
    source="seed 000, chapter 2",
)
@for_each("api", cases.api)
def test_the_api_server_answers(api: str, facts: Facts) -> None:
    """The API server lists its objects over OOBI."""
    source = facts.raw("kubernetes")
    if source.outcome == "unusable":
        raise Unknown(f"nobody was asked: {source.error}")

    assert source.outcome == "ok", found(f"{source.outcome}: {source.error}", expected=f"answers from {api}")


@check(
    "kubernetes.api-ready",
    severity="critical",
    remedy="kubectl get --raw '/readyz?verbose'; on the control plane: journalctl -u kube-apiserver -u etcd -n 50",
    consequence="the API server takes requests that it cannot serve",
    source="seed 000, chapter 13",
)
@for_each("api", cases.api)
def test_the_api_server_is_ready(api: str, facts: Facts) -> None:
    """Every check that the API server makes of itself is ok."""
    wrong = facts.kubernetes.ready_checks

    assert not wrong, found("; ".join(wrong), expected="every check of /readyz ok")


@check(
    "kubernetes.api-self-check",
    severity="major",
    remedy="kubectl get --raw '/readyz/{name}?verbose'; on the control plane: journalctl -u etcd -n 50",
    consequence="the cluster loses what it is told, or tells what is old",
    source="seed 000, chapter 13",
)
@for_each("name", cases.ready_checks)
def test_the_api_server_says_ok_of_itself(name: str, facts: Facts) -> None:
    """The API server makes this check of itself, and it is ok."""
    said = facts.kubernetes.readyz

    assert said.get(name), found(f"{name} failed" if name in said else f"{name} is not among its checks", expected="ok")


@check(
    "kubernetes.version",
    severity="major",
    remedy="kubectl version; install the version that the bed file declares on the control plane",
    consequence="the bed is not the one that was measured before",
    source="seed 000, chapter 2.1",
)
@for_each("declared", cases.version)
def test_the_api_server_is_of_the_declared_version(declared: str, facts: Facts) -> None:
    """The API server is of the declared version, or of one that begins so."""
    version = facts.kubernetes.version

    assert is_of(version, declared), found(version, expected=declared)


@check(
    "kubernetes.api-over-management",
    severity="critical",
    remedy="change kubernetes.api in the bed file, and K3S_URL or --server on the nodes, to an OOBI address",
    consequence="when the firewall stops, so does the cluster, and with it every way to find out why",
    source="seed 000, OOBI isolation requirement",
)
@for_each("api", cases.api)
def test_the_api_server_is_on_management(api: str, bed: Bed) -> None:
    """The address of the API server is that of a control-plane node on OOBI, in no data network."""
    host = ip_address(urlsplit(api).hostname or "")
    control = {n.oobi for n in bed.kubernetes_nodes.values() if n.kubernetes == "control-plane"}
    data = [name for name, network in bed.vlans.items() if host in network.cidr]

    assert host in control, found(host, expected=f"one of {sorted(map(str, control))}")
    assert not data, found(f"{host} lies in {', '.join(data)}", expected="in no data network")


@check(
    "kubernetes.api-reached",
    severity="critical",
    kind="active",
    remedy="on {name}: ping the control plane's OOBI address; ip route get to it; nft list ruleset",
    consequence="the kubelet of {name} loses the cluster and its pods are moved away",
    source="seed 000, chapter 2",
)
@for_each("client", cases.api_clients)
def test_each_node_reaches_the_api_server(client: Trait, facts: Facts) -> None:
    """Every member of the cluster reaches the port of the API server."""
    answer = facts.probe(Tcp, "api", source=client.node)

    assert answer.ok, found(answer, expected="a connection")


@check(
    "kubernetes.api-over-oobi",
    severity="critical",
    kind="active",
    remedy="on {name}: ip route get to the control plane; remove the route that leads over eth1",
    consequence="the cluster's own traffic goes through the firewall that is measured",
    source="seed 000, OOBI isolation requirement",
)
@for_each("client", cases.api_paths)
def test_each_node_asks_the_api_server_from_its_management_address(client: Trait, facts: Facts) -> None:
    """Connections to the API server leave from the node's OOBI address."""
    local = facts.probe(Tcp, "api", source=client.node).facts.get("local")

    assert local == str(client.spec.oobi), found(f"from {local}", expected=f"from {client.spec.oobi}")


@check(
    "kubernetes.api-refuses-nameless",
    severity="critical",
    kind="active",
    remedy="on the control plane: kube-apiserver --anonymous-auth=false, or remove bindings of system:anonymous",
    consequence="whoever reaches management reads every secret of the bed",
    source="seed 000, chapter 5",
)
@for_each("client", cases.api_nameless)
def test_nobody_reads_secrets_without_a_name(client: Trait, facts: Facts) -> None:
    """A request for secrets without credentials is refused with 401 or 403."""
    answer = facts.probe(Tls, "api-anonymous", source=client.node)

    assert answer.status in {401, 403}, found(f"{answer}, status {answer.status}", expected="401 or 403")


@check(
    "kubernetes.kubelet-refuses-nameless",
    severity="critical",
    kind="active",
    remedy="on {name}: authentication.anonymous.enabled: false in the kubelet's configuration; systemctl restart kubelet",
    consequence="whoever reaches management runs commands in every pod of {name}",
    source="seed 000, chapter 2",
)
@for_each("kubelet", cases.kubelet_ports)
def test_no_kubelet_talks_to_strangers(kubelet: Trait, facts: Facts) -> None:
    """A request to a kubelet without credentials is answered with 401 or 403."""
    answer = facts.probe(Tls, "kubelet-anonymous", source=kubelet.node)

    assert answer.status in {401, 403}, found(f"{answer}, status {answer.status}", expected="401 or 403")


@check(
    "kubernetes.gate-only-looks",
    severity="major",
    remedy="kubectl auth can-i --list --as plumbline-gate; take the right away from the role of the gate's kubeconfig",
    consequence="a slip or theft of the gate's credentials changes the bed, or tells its secrets",
    source="seed 000, chapter 5",
)
@for_each("right", cases.forbidden)
def test_the_gate_cannot_do_what_it_need_not(right: Right, facts: Facts) -> None:
    """The gate's own role neither writes nor reads secrets that the bed does not name."""
    allowed = facts.kubernetes.allowed(right.name)

    assert not allowed, found(f"it may {right.name}", expected="no")
