"""Names: the cluster's own, those of personas, and none that does not exist."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.model import Persona, Workload
from plumbline.check import check, for_each, found
from plumbline.facts import Dns, Facts
from plumbline.subjects import Thing
from suites.services import cases


@check(
    "services.dns",
    severity="critical",
    kind="active",
    remedy="kubectl -n kube-system get pods,endpointslices -l app.kubernetes.io/name=coredns; kubectl logs of it",
    consequence="pods find neither the dashboard nor a persona",
    source="seed 000, chapter 8.2",
)
@for_each("server", cases.dns)
def test_the_name_server_knows_the_cluster(server: str, facts: Facts, bed: Bed) -> None:
    """The name of the API server resolves to the first address of the services' network."""
    answer = facts.probe(Dns, "dns", target="kubernetes")
    first = str(bed.kubernetes.services[1]) if bed.kubernetes else ""

    assert answer.answers == (first,), found(f"{answer}, {answer.rcode} {answer.answers}", expected=f"{first}")


@check(
    "services.dns-address",
    severity="critical",
    remedy="set clusterIP of the service of CoreDNS, or clusterDNS of the kubelets, so that they agree",
    consequence="pods ask for names where nobody answers",
    source="seed 000, chapter 8.2",
)
@for_each("server", cases.dns)
def test_the_name_server_has_its_address(server: str, facts: Facts) -> None:
    """A service has the declared address, for names over both UDP and TCP."""
    known = {s["spec"].get("clusterIP"): s for s in facts.kubernetes.objects("services")}
    ports = {(p["protocol"], p["port"]) for p in known.get(server, {"spec": {}})["spec"].get("ports", ())}

    assert {("UDP", 53), ("TCP", 53)} <= ports, found(sorted(ports) or f"no service {server}", expected="port 53, both")


@check(
    "services.dns-nothing",
    severity="major",
    kind="active",
    remedy="kubectl -n kube-system get configmap coredns -o yaml: no wildcard in the zone of the personas",
    consequence="a mistyped name leads somewhere, and the test measures the wrong server",
    source="seed 000, chapter 8.2",
)
@for_each("server", cases.dns)
def test_a_name_of_nothing_resolves_to_nothing(server: str, facts: Facts) -> None:
    """A name that nobody has is answered with NXDOMAIN."""
    answer = facts.probe(Dns, "dns", target="nothing")

    assert answer.rcode == "NXDOMAIN", found(f"{answer}, {answer.rcode} {answer.answers}", expected="NXDOMAIN")


@check(
    "services.persona-name",
    severity="critical",
    kind="active",
    remedy="kubectl -n kube-system get configmap coredns -o yaml; bash platform/dns/patch-coredns.sh",
    consequence="agents do not find {name}, or test another server in its place",
    source="seed 000, chapter 8.2",
)
@for_each("persona", cases.persona_names)
def test_a_persona_is_found_by_its_name(persona: Thing[Persona], facts: Facts) -> None:
    """The persona's name resolves to its address, and to no other."""
    answer = facts.probe(Dns, "dns", target=persona.name)

    assert answer.answers == (str(persona.spec.address),), found(
        f"{answer}, {answer.rcode} {', '.join(answer.answers)}", expected=persona.spec.address
    )


@check(
    "services.service-name",
    severity="critical",
    kind="active",
    remedy="kubectl get services -A | grep {name}; kubectl -n kube-system logs deployment/coredns --tail=20",
    consequence="what uses {name} does not find it",
    source="seed 000, chapter 5",
)
@for_each("workload", cases.service_names)
def test_a_service_is_found_by_its_name(workload: Thing[Workload], facts: Facts) -> None:
    """The service's name in the cluster resolves to its address."""
    answer = facts.probe(Dns, "dns", target=workload.name)
    known = {s["spec"].get("clusterIP") for s in facts.kubernetes.objects("services")}

    assert answer.ok, found(answer, expected="an answer")
    assert len(answer.answers) == 1, found(f"{answer.rcode} {answer.answers}", expected="one address")
    assert answer.answers[0] in known, found(answer.answers[0], expected="the address of its service")


@check(
    "services.dns-from-node",
    severity="critical",
    kind="active",
    remedy="on {name}: systemctl status kube-proxy flanneld; iptables-save | grep {name}; ping a pod of another node",
    consequence="pods of {name} find nothing",
    source="seed 000, chapter 8.2",
)
@for_each("node", cases.node_resolvers)
def test_pods_of_each_node_get_answers(node: str, facts: Facts) -> None:
    """A pod on the node gets an answer from the cluster's name server."""
    answer = facts.probe(Dns, "dns-node", source=node)

    assert answer.answers, found(f"{answer} {answer.rcode}", expected="an address")


@check(
    "services.resolver",
    severity="major",
    remedy="kubectl exec of a pod of {name} -- cat /etc/resolv.conf; on its node: clusterDNS of the kubelet; dnsPolicy",
    consequence="pods of {name} do not find the services of the cluster",
    source="seed 000, cloner troubleshooting",
)
@for_each("workload", cases.resolvers)
def test_pods_ask_the_name_server_of_the_cluster(workload: Thing[Workload], facts: Facts, bed: Bed) -> None:
    """The resolver of each pod is the cluster's name server and no other."""
    declared = str(bed.kubernetes.dns) if bed.kubernetes else ""
    for pod in facts.kubernetes.pods(workload.name):
        lines = facts.pod(pod).resolv_conf.splitlines()
        servers = [line.split()[1] for line in lines if line.startswith("nameserver")]

        assert servers == [declared], found(f"{pod.name}: {', '.join(servers)}", expected=declared)


@check(
    "services.cloner-names",
    severity="major",
    kind="active",
    remedy="kubectl exec deploy/{name} -- cat /etc/resolv.conf; kubectl exec deploy/{name} -- ip route",
    consequence="the cloner does not find its storage",
    source="seed 000, cloner troubleshooting",
)
@for_each("cloner", cases.cloner_names)
def test_the_cloner_gets_names_of_the_cluster(cloner: Thing[Workload], facts: Facts) -> None:
    """From the cloner, which has a second network, the cluster's name server answers."""
    answer = facts.probe(Dns, "cloner", source=cloner.name)

    assert answer.answers, found(f"{answer} {answer.rcode}", expected="an address")
