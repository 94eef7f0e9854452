"""The bed file names certificates, personas and secrets that fit together. No bed is needed to know."""

from __future__ import annotations

from plumbline.bed.consistency import cases
from plumbline.bed.consistency.found import Contradiction
from plumbline.check import check, for_each, found


@check(
    "inventory.renewal-after-expiry",
    severity="critical",
    remedy="shorten renew_before or lengthen lifetime of {name}",
    consequence="the certificate is renewed without end, or expires",
    source="seed 000, chapter 13",
)
@for_each("certificate", cases.certificates)
def test_a_certificate_is_renewed_within_its_lifetime(certificate: str, contradiction: Contradiction) -> None:
    """A certificate is renewed within its lifetime."""
    wrong = contradiction("renewal-after-expiry", certificate)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.persona-unnamed",
    severity="critical",
    remedy="add the name of the persona to its certificate",
    consequence="the firewall refuses {name}: its certificate is for another name",
    source="seed 000, chapter 8",
)
@for_each("persona", cases.personas)
def test_a_certificate_names_its_persona(persona: str, contradiction: Contradiction) -> None:
    """The certificate of a persona's workload names the persona."""
    wrong = contradiction("persona-unnamed", persona)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.persona-elsewhere",
    severity="critical",
    remedy="make the persona and the attachment of its workload agree",
    consequence="{name} is looked for where it is not",
    source="seed 000, chapter 8",
)
@for_each("persona", cases.personas)
def test_a_persona_is_where_its_workload_is(persona: str, contradiction: Contradiction) -> None:
    """A persona's network and address are those of its workload."""
    wrong = contradiction("persona-elsewhere", persona)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.certificate-elsewhere",
    severity="major",
    remedy="set wire of {name} to the address of its persona",
    consequence="another server's certificate is judged in place of {name}",
    source="seed 000, chapter 8",
)
@for_each("certificate", cases.certificates)
def test_a_certificate_is_looked_for_at_its_persona(certificate: str, contradiction: Contradiction) -> None:
    """A certificate is looked for where its persona serves it."""
    wrong = contradiction("certificate-elsewhere", certificate)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.secret-without-key",
    severity="major",
    remedy="declare the key in secrets, or mend the reference",
    consequence="what needs the key cannot be checked, or never starts",
    source="seed 000, chapter 5",
)
@for_each("secret", cases.secrets)
def test_a_referred_secret_has_its_key(secret: str, contradiction: Contradiction) -> None:
    """A reference secret/KEY names a secret and a key that are declared."""
    wrong = contradiction("secret-without-key", secret)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.zone-without-server",
    severity="major",
    remedy="add the zone to kubernetes.zones",
    consequence="agents cannot resolve the names of personas",
    source="seed 000, chapter 8.2",
)
@for_each("zone", cases.zones)
def test_the_zone_asked_for_is_served(zone: str, contradiction: Contradiction) -> None:
    """The zone that pods ask for is one that the cluster serves."""
    wrong = contradiction("zone-without-server", zone)

    assert not wrong, found(wrong.found, expected=wrong.expected)
