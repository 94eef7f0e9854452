"""Does a bed file contradict itself? Each rule is a short function of the bed; no bed is needed."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed.consistency import addresses, cluster, consul, pki, slurm, trust, vault, vlans
from plumbline.bed.consistency.found import Inconsistency, Rule, subject_of
from plumbline.bed.model import Bed

RULES: tuple[Rule, ...] = (
    addresses.overlapping_networks,
    addresses.duplicate_address,
    addresses.duplicate_mac,
    addresses.address_outside_network,
    addresses.service_address_outside,
    addresses.gateway_without_address,
    addresses.pool_outside_network,
    addresses.pool_over_static_address,
    addresses.overlapping_pools,
    vlans.duplicate_vlan,
    vlans.address_off_trunk,
    vlans.trunk_without_network,
    vlans.workload_off_trunk,
    vlans.persona_without_vlan,
    vlans.path_mtu,
    vlans.attachment_mtu,
    vlans.route_over_management,
    cluster.role_without_node,
    cluster.even_quorum,
    cluster.replicas_outside_scale,
    cluster.nfs_over_data_plane,
    cluster.another_namespace,
    cluster.attachment_without_addresses,
    cluster.node_without_way_in,
    trust.renewal_after_expiry,
    trust.persona_unnamed,
    trust.persona_elsewhere,
    trust.certificate_elsewhere,
    trust.secret_without_key,
    trust.zone_without_server,
    consul.consul_quorum,
    consul.consul_twice,
    consul.consul_certificate,
    consul.consul_server_name,
    consul.consul_service_without_agent,
    consul.consul_check_unnamed,
    consul.consul_check_overlapping,
    vault.vault_even_quorum,
    vault.vault_without_certificate,
    vault.vault_unnamed,
    vault.vault_engine_missing,
    slurm.partition_without_slurmd,
    slurm.default_partition,
    slurm.job_size,
    slurm.slurm_backup,
    slurm.slurm_state,
    pki.renewal_slack,
    pki.lifetime_too_long,
    pki.renewal_without_authority,
    pki.certificate_in_one_place,
)


def inconsistencies(bed: Bed) -> Iterator[Inconsistency]:
    """All that no bed could fulfil, rule by rule."""
    for rule in RULES:
        yield from rule(bed)


__all__ = ["RULES", "Inconsistency", "Rule", "inconsistencies", "subject_of"]
