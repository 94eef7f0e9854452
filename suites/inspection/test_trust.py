"""What agent pods trust: exactly the authority that signs what they are shown, read since it was last written."""

from __future__ import annotations

from collections.abc import Callable

from plumbline import x509
from plumbline.bed import Bed
from plumbline.bed.model import Workload
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Pod, Tls
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.inspection import cases

Roots = Callable[[str], tuple[x509.Certificate, ...]]
Named = Thing[Workload]
_SLACK_S = 2.0


def _pods(workload: Named, facts: Facts) -> tuple[Pod, ...]:
    running = tuple(p for p in facts.kubernetes.pods(workload.name) if p.phase == "Running")
    if not running:
        raise Unknown(f"no pod of {workload.name} is running", cause=f"workload:{workload.name}")
    return running


def _file(workload: Named, bed: Bed) -> str:
    assert workload.spec.trusts is not None
    return bed.authorities[workload.spec.trusts].bundle.key


@check(
    "inspection.every-pod",
    severity="critical",
    kind="active",
    remedy="kubectl -n web-agents get pods -o wide | grep {node}; delete the pod that does not reach a persona",
    consequence="an agent of {node} takes part in no test, and the load is less than its count promises",
    source="seed 000, chapter 13",
)
@for_each("workload", cases.sources("reach"))
def test_every_agent_pod_reaches_a_persona(workload: Named, facts: Facts) -> None:
    """Each single agent pod shakes hands with a persona at least, and trusts what it is shown."""
    answers = facts.probes(Tls, "flow", source=workload.name)
    reached = {answer.pod for answer in answers if answer.verified}
    lost = sorted({pod.full_name for pod in _pods(workload, facts)} - reached)

    assert not lost, found(f"no persona was reached by {', '.join(lost)}", expected="each pod reaches one at least")


@check(
    "inspection.trust-mounted",
    severity="critical",
    remedy="kubectl -n web-agents rollout restart deployment {node}",
    consequence="agents of {node} refuse the firewall, or trust one that has been replaced",
    source="seed 000, chapters 5.6 and 13 (renew NGFW CA certificate)",
)
@for_each("workload", cases.sources("mounted"))
def test_pods_have_the_published_bundle(workload: Named, bed: Bed, facts: Facts, roots: Roots) -> None:
    """The bundle that lies in each agent pod is the one that is published, no more and no less."""
    assert workload.spec.trusts is not None
    published = {c.fingerprint for c in roots(workload.spec.trusts)}
    for pod in _pods(workload, facts):
        mounted = facts.pod(pod).chain_named(_file(workload, bed))

        assert {c.fingerprint for c in mounted} == published, found(
            f"{pod.full_name} has {', '.join(map(str, mounted)) or 'no bundle'}",
            expected=f"what {bed.authorities[workload.spec.trusts].bundle.configmap} holds",
        )


@check(
    "inspection.trust-loaded",
    severity="critical",
    remedy="kubectl -n web-agents rollout restart deployment {node}",
    consequence="agents of {node} still trust what was published before: they read their bundle once, when they start",
    source="seed 000, chapter 13 (renew NGFW CA certificate)",
)
@for_each("workload", cases.sources("loaded"))
def test_pods_were_started_since_it_was_written(workload: Named, bed: Bed, facts: Facts) -> None:
    """No bundle was written after the container that reads it at its start."""
    for pod in _pods(workload, facts):
        ages = {p: age for p, age in facts.pod(pod).age_at_start.items() if p.endswith(f"/{_file(workload, bed)}")}

        assert ages, found(f"{pod.full_name} has no {_file(workload, bed)}", expected="a mounted bundle")
        assert min(ages.values()) >= -_SLACK_S, found(
            f"{pod.full_name} was started {-min(ages.values()):.0f} s before its bundle was written",
            expected="started since",
        )


@check(
    "inspection.trust-signs",
    severity="critical",
    kind="active",
    remedy="export the firewall's authority and apply it: kubectl -n web-agents create configmap ngfw-ca "
    "--from-file=ngfw-ca.crt --dry-run=client -o yaml | kubectl apply -f -; then restart {node}",
    consequence="agents of {node} refuse all that the firewall shows",
    source="seed 000, chapters 5.6 and 13",
)
@for_each("workload", cases.sources("signs"))
def test_pods_trust_who_signs(workload: Named, bed: Bed, facts: Facts) -> None:
    """What each agent pod has mounted signed what it is shown, and nothing else is in it."""
    answers = {a.pod: a for a in facts.probes(Tls, "flow", source=workload.name) if a.leaf}
    for pod in _pods(workload, facts):
        if pod.full_name not in answers:
            raise Unknown(f"{pod.full_name} was shown no certificate", cause=f"trust:{workload.name}/reach")
        mounted, leaf = facts.pod(pod).chain_named(_file(workload, bed)), answers[pod.full_name].leaf
        assert leaf is not None

        idle = [c for c in mounted if not leaf.signed_by(c)]
        assert mounted, found(f"{pod.full_name} trusts nobody", expected=f"who signed {leaf}")
        assert not idle, found(f"{pod.full_name} trusts {', '.join(map(str, idle))}", expected=f"who signed {leaf}")
