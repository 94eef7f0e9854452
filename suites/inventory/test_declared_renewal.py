"""The bed file's certificates can renew themselves as it says. No bed is needed to know."""

from __future__ import annotations

from plumbline.bed.consistency import cases
from plumbline.bed.consistency.found import Contradiction
from plumbline.check import check, for_each, found


@check(
    "inventory.renewal-slack",
    severity="critical",
    remedy="a longer lifetime of {name}, a smaller `elapsed`, or a timer that looks more often",
    consequence="{name} may expire between two looks of a timer that works (S5)",
    source="seed 001, fact 44",
)
@for_each("renewed", cases.renewed)
def test_the_timer_cannot_miss_a_renewal(renewed: str, contradiction: Contradiction) -> None:
    """What is left when a renewal is due is more than the timer's period and delay."""
    wrong = contradiction("renewal-slack", renewed)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.lifetime-too-long",
    severity="critical",
    remedy="shorten the lifetime of {name}, or raise step_ca.longest",
    consequence="the authority refuses {name}",
    source="seed 001, F29",
)
@for_each("certificate", cases.service_certificates)
def test_a_lifetime_is_one_that_the_authority_signs(certificate: str, contradiction: Contradiction) -> None:
    """No certificate is to live for longer than the authority's longest lifetime."""
    wrong = contradiction("lifetime-too-long", certificate)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.renewal-without-authority",
    severity="critical",
    remedy="name the nodes of {name} in step_ca.on",
    consequence="{name} is not renewed there, and expires",
    source="seed 001, facts 34 and 41",
)
@for_each("renewed", cases.renewed)
def test_whoever_renews_trusts_the_authority(renewed: str, contradiction: Contradiction) -> None:
    """Every node on which something is renewed is one that trusts the authority."""
    wrong = contradiction("renewal-without-authority", renewed)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.certificate-in-one-place",
    severity="critical",
    remedy="give {name} a file of its own",
    consequence="each renewal undoes the other",
    source="seed 001, fact 37",
)
@for_each("certificate", cases.service_certificates)
def test_each_certificate_has_a_file_of_its_own(certificate: str, contradiction: Contradiction) -> None:
    """No two certificates or keys of a node lie in one file."""
    wrong = contradiction("certificate-in-one-place", certificate)

    assert not wrong, found(wrong.found, expected=wrong.expected)
