"""The things that each rule can find at fault, as cases for `for_each`: the value of a case is its subject.

A case here stands on nothing: what a file contradicts itself about is a cause, never a consequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from plumbline.bed.consistency.claims import claims
from plumbline.bed.consistency.cluster import selectors
from plumbline.bed.consistency.found import subject_of
from plumbline.bed.consistency.pki import renewing
from plumbline.bed.consistency.trust import secret_references, secret_subject
from plumbline.bed.model import Bed
from plumbline.check import Case, Cases


def _cases(bed: Bed, subjects: Iterable[tuple[str, str]]) -> Iterator[Case]:
    """One case a subject, declared where it is first named."""
    places: dict[str, str] = {}
    for subject, path in subjects:
        places.setdefault(subject, path)
    kinds = {subject.partition(":")[0] for subject in places}
    for subject, path in places.items():
        name = subject.partition(":")[2]
        yield Case(name if len(kinds) == 1 else subject.replace(":", " "), subject, subject, (), bed.where(path))


def networks(bed: Bed) -> Iterator[Case]:
    """Every network that the bed file declares."""
    return _cases(bed, ((subject_of(bed, name), f"networks.{name}") for name in bed.networks))


def ranges(bed: Bed) -> Iterator[Case]:
    """Every network, those of pods and of services among them."""
    cluster = [(f"kubernetes:{part}", f"kubernetes.{part}") for part in ("pods", "services")] if bed.kubernetes else []
    return _cases(bed, [*((subject_of(bed, n), f"networks.{n}.cidr") for n in bed.networks), *cluster])


def vlans(bed: Bed) -> Iterator[Case]:
    """Networks with a VLAN."""
    return _cases(bed, ((f"vlan:{name}", f"networks.{name}.vlan") for name in bed.vlans))


def gateways(bed: Bed) -> Iterator[Case]:
    """Networks with a gateway."""
    named = (name for name, network in bed.networks.items() if network.gateway)
    return _cases(bed, ((subject_of(bed, name), f"networks.{name}.gateway") for name in named))


def pools(bed: Bed) -> Iterator[Case]:
    """Networks whose addresses are handed out."""
    named = (name for name, network in bed.networks.items() if network.pool or network.dhcp)
    return _cases(bed, ((subject_of(bed, name), f"networks.{name}") for name in named))


def owners(bed: Bed) -> Iterator[Case]:
    """Everything that has an address."""
    return _cases(bed, ((claim.owner, claim.path) for claim in claims(bed)))


def nodes(bed: Bed) -> Iterator[Case]:
    """Every node."""
    return _cases(bed, ((f"node:{name}", f"nodes.{name}") for name in bed.nodes))


def trunks(bed: Bed) -> Iterator[Case]:
    """Nodes that are on a VLAN, by their trunk or by an address."""
    named = {name for network in bed.vlans.values() for name in network.addresses}
    on = (name for name, node in bed.nodes.items() if node.trunk or name in named)
    return _cases(bed, ((f"node:{name}", f"nodes.{name}.trunk") for name in on))


def attachments(bed: Bed) -> Iterator[Case]:
    """Every attachment."""
    return _cases(bed, ((f"attachment:{name}", f"attachments.{name}") for name in bed.attachments))


def routed_attachments(bed: Bed) -> Iterator[Case]:
    """Attachments with routes."""
    named = (name for name, attachment in bed.attachments.items() if attachment.routes)
    return _cases(bed, ((f"attachment:{name}", f"attachments.{name}.routes") for name in named))


def equipped_workloads(bed: Bed) -> Iterator[Case]:
    """Workloads that use a secret, a certificate, a claim or an attachment."""
    named = (n for n, w in bed.workloads.items() if w.secrets or w.certificate or w.storage or w.attach)
    return _cases(bed, ((f"workload:{name}", f"workloads.{name}") for name in named))


def attached_workloads(bed: Bed) -> Iterator[Case]:
    """Workloads with an attachment."""
    named = (name for name, workload in bed.workloads.items() if workload.attach)
    return _cases(bed, ((f"workload:{name}", f"workloads.{name}.attach") for name in named))


def scaled_workloads(bed: Bed) -> Iterator[Case]:
    """Workloads whose number of replicas is bounded."""
    named = (name for name, workload in bed.workloads.items() if workload.scale)
    return _cases(bed, ((f"workload:{name}", f"workloads.{name}.scale") for name in named))


def pinned(bed: Bed) -> Iterator[Case]:
    """Whatever chooses nodes by labels: workloads, storage, host profiles."""
    return _cases(bed, ((subject, path) for subject, path, labels in selectors(bed) if labels is not None))


def control_plane(bed: Bed) -> Iterator[Case]:
    """The members of the control plane, as one."""
    return _cases(bed, [("kubernetes:control-plane", "kubernetes")] if bed.kubernetes else [])


def service_range(bed: Bed) -> Iterator[Case]:
    """The range of cluster services."""
    return _cases(bed, [("kubernetes:services", "kubernetes.services")] if bed.kubernetes else [])


def exports(bed: Bed) -> Iterator[Case]:
    """Storage that is served over NFS."""
    named = (name for name, storage in bed.storage.items() if storage.nfs)
    return _cases(bed, ((f"storage:{name}", f"storage.{name}.nfs") for name in named))


def personas(bed: Bed) -> Iterator[Case]:
    """Every persona."""
    return _cases(bed, ((f"persona:{name}", f"personas.{name}") for name in bed.personas))


def certificates(bed: Bed) -> Iterator[Case]:
    """Every certificate."""
    return _cases(bed, ((f"certificate:{name}", f"certificates.{name}") for name in bed.certificates))


def flows(bed: Bed) -> Iterator[Case]:
    """Every flow that is let through."""
    let = ((index, flow) for index, flow in enumerate(bed.flows) if flow.expect != "refused")
    return _cases(bed, ((f"flow:{flow.from_}>{flow.to}", f"flows.{index}") for index, flow in let))


def secrets(bed: Bed) -> Iterator[Case]:
    """Secrets whose keys something else in the bed file refers to."""
    return _cases(bed, ((secret_subject(bed, name), path) for path, name, _ in secret_references(bed)))


def zones(bed: Bed) -> Iterator[Case]:
    """The zone that pods ask for."""
    asked = bed.services.dns
    return _cases(bed, [(f"dns:{asked.zone}", "services.dns.zone")] if asked else [])


def consul_parts(kind: str) -> Cases:
    """Consul's servers, agents, instances or services, or one thing of it: subjects as in `plumbline.needs.consul`."""

    def cases(bed: Bed) -> Iterator[Case]:
        if bed.consul is None:
            return iter(())
        found = {
            "agent": [(f"consul-agent:{node}", "consul.clients") for node in bed.consul.nodes],
            "api": [(f"consul-api:{node}", "consul.servers") for node in bed.consul.servers],
            "service": [(f"consul-service:{id}", "consul.services") for id, _, _ in bed.consul.instances()],
            "name": [(f"consul-name:{name}", f"consul.services.{name}") for name in bed.consul.services],
        }
        return _cases(bed, found.get(kind, [(f"consul:{kind}", "consul")]))

    return cases


def vaults(bed: Bed) -> Iterator[Case]:
    """The cluster of Vault servers."""
    return _cases(bed, [(f"vault-cluster:{bed.vault.cluster}", "vault")] if bed.vault else [])


def vault_engines(bed: Bed) -> Iterator[Case]:
    """What an engine of Vault keeps or makes: secrets, certificates."""
    secrets = [(f"vault-secret:{name}", f"vault.secrets.{name}") for name in bed.vault.secrets] if bed.vault else []
    issuing = bed.vault.issuing if bed.vault else None
    return _cases(bed, [*secrets, *([(f"vault-issuer:{issuing.engine}", "vault.issuing")] if issuing else [])])


def partitions(bed: Bed) -> Iterator[Case]:
    """Every partition of Slurm."""
    return _cases(
        bed, ((f"slurm-partition:{n}", f"slurm.partitions.{n}") for n in (bed.slurm.partitions if bed.slurm else ()))
    )


def job_sizes(bed: Bed) -> Iterator[Case]:
    """Every size that users ask Slurm for."""
    return _cases(bed, ((f"slurm-size:{n}", f"slurm.sizes.{n}") for n in (bed.slurm.sizes if bed.slurm else ())))


def slurm_as(part: str) -> Callable[[Bed], Iterator[Case]]:
    """A part of Slurm as one thing: partitions, controllers, state."""
    return lambda bed: _cases(bed, [(f"slurm:{part}", f"slurm.{part}")] if bed.slurm else [])


def renewed(bed: Bed) -> Iterator[Case]:
    """Whatever renews itself: certificates of services, and of SSH."""
    return _cases(bed, ((subject, place) for subject, place, _, _ in renewing(bed)))


def service_certificates(bed: Bed) -> Iterator[Case]:
    """Every certificate of a service."""
    named = bed.service_certificates
    return _cases(bed, ((f"service-certificate:{name}", f"service_certificates.{name}") for name in named))
