"""Rules about personas, certificates and secrets."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from plumbline.bed.consistency.found import Inconsistency
from plumbline.bed.model import Bed


def renewal_after_expiry(bed: Bed) -> Iterator[Inconsistency]:
    """A certificate is renewed within its lifetime."""
    for name, certificate in bed.certificates.items():
        if certificate.renew_before >= certificate.lifetime:
            yield Inconsistency(
                "renewal-after-expiry",
                f"certificate:{name}",
                bed.where(f"certificates.{name}.renew_before"),
                f"less than the lifetime ({certificate.lifetime})",
                str(certificate.renew_before),
                "shorten renew_before or lengthen lifetime",
            )


def persona_unnamed(bed: Bed) -> Iterator[Inconsistency]:
    """The certificate of a persona's workload names the persona."""
    for name, persona in bed.personas.items():
        used = bed.workloads[persona.workload].certificate
        if used and not any(fnmatchcase(persona.name, pattern) for pattern in bed.certificates[used].names):
            yield Inconsistency(
                "persona-unnamed",
                f"persona:{name}",
                bed.where(f"certificates.{used}.names"),
                f"{persona.name} among the names of certificate {used}",
                ", ".join(bed.certificates[used].names) or "none",
                f"add {persona.name} to certificates.{used}.names",
            )


def persona_elsewhere(bed: Bed) -> Iterator[Inconsistency]:
    """A persona's network and address are those that its workload is given."""
    for name, persona in bed.personas.items():
        attach = bed.workloads[persona.workload].attach
        attachment = bed.attachments[attach] if attach else None
        given = (attachment.network, attachment.address or persona.address) if attachment else None
        if given != (persona.network, persona.address):
            yield Inconsistency(
                "persona-elsewhere",
                f"persona:{name}",
                bed.where(f"personas.{name}"),
                f"workload {persona.workload} at {persona.address} on {persona.network}",
                f"{given[1]} on {given[0]}" if given else "a workload without an attachment",
                f"make personas.{name} and attachments.{attach or '…'} agree",
            )


def certificate_elsewhere(bed: Bed) -> Iterator[Inconsistency]:
    """A certificate is looked for where its persona serves it."""
    for name, persona in bed.personas.items():
        used = bed.workloads[persona.workload].certificate
        wire = bed.certificates[used].wire if used else None
        if used and wire and wire.rpartition(":")[0] != str(persona.address):
            yield Inconsistency(
                "certificate-elsewhere",
                f"certificate:{used}",
                bed.where(f"certificates.{used}.wire"),
                f"{persona.address}, the address of persona {name}",
                wire,
                f"make certificates.{used}.wire {persona.address}:443",
            )


def secret_without_key(bed: Bed) -> Iterator[Inconsistency]:
    """A reference secret/KEY names a secret and a key that are declared."""
    for path, name, key in secret_references(bed):
        secret = bed.secrets.get(name)
        if secret and key in secret.keys:
            continue
        yield Inconsistency(
            "secret-without-key",
            secret_subject(bed, name),
            bed.where(path),
            f"the key {key} in secret {name}",
            f"its keys are {', '.join(secret.keys) or 'none'}" if secret else "no such secret",
            f"add it to secrets{'.' + name + '.keys' if secret else ''}, or mend the reference",
        )


def secret_references(bed: Bed) -> Iterator[tuple[str, str, str]]:
    """Path, secret and key of every reference secret/KEY (and secret/KEY#part) in a bed file."""
    written = [
        (f"same_secret.{index}.values.{number}", value)
        for index, same in enumerate(bed.same_secret)
        for number, value in enumerate(same.values)
    ]
    if bed.ngfw and bed.ngfw.snmp:
        written.append(("ngfw.snmp.community", bed.ngfw.snmp.community))
    for path, value in written:
        if not value.startswith("${"):
            name, _, key = value.partition("#")[0].partition("/")
            yield path, name, key


def secret_subject(bed: Bed, name: str) -> str:
    """How a secret is called as a subject: secret:web-agents/web-agent-secrets, or secret:name where it is unknown."""
    known = bed.secrets.get(name)
    return f"secret:{known.namespace}/{name}" if known else f"secret:{name}"


def zone_without_server(bed: Bed) -> Iterator[Inconsistency]:
    """The zone that pods ask for is one that the cluster serves."""
    zones = bed.kubernetes.zones if bed.kubernetes else {}
    if bed.services.dns and bed.services.dns.zone not in zones:
        yield Inconsistency(
            "zone-without-server",
            f"dns:{bed.services.dns.zone}",
            bed.where("services.dns.zone"),
            "a zone of kubernetes.zones",
            f"{bed.services.dns.zone}; declared: {', '.join(zones) or 'none'}",
            "add it to kubernetes.zones",
        )
