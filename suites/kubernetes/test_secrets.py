"""Secrets have their keys, no key is empty or left as a guide wrote it, and shared values are shared."""

from __future__ import annotations

from plumbline import subjects, x509
from plumbline.bed import Bed
from plumbline.bed.model import Authority, SameSecret
from plumbline.bed.model import Secret as Declared
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.cluster import Secret
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.kubernetes import cases

MISSING = "no such secret"


def secret(facts: Facts, namespace: str, name: str) -> Secret:
    """A secret; Unknown where there is none."""
    known = facts.kubernetes.secret(namespace, name)
    if known is None:
        raise Unknown(f"there is no secret {name} in {namespace}", cause=f"secret:{namespace}/{name}")
    return known


@check(
    "kubernetes.secret",
    severity="critical",
    remedy="kubectl -n {node} get secret {item} -o jsonpath='{.data}' | jq keys; create it again with all its keys",
    consequence="pods that need {item} do not start the next time",
    source="seed 000, chapter 5",
)
@for_each("declared", subjects.secrets)
def test_a_secret_has_its_keys(declared: Thing[Declared], facts: Facts) -> None:
    """The secret exists, with each of the declared keys and none of them empty."""
    known = facts.kubernetes.secret(declared.spec.namespace, declared.name)

    assert known is not None, found(MISSING, expected=f"the keys {', '.join(declared.spec.keys)}")
    missing = [key for key in declared.spec.keys if key not in known.keys or key in known.empty]
    assert not missing, found(f"missing or empty: {', '.join(missing)}", expected=", ".join(declared.spec.keys))


@check(
    "kubernetes.secret-value",
    severity="critical",
    remedy="create {item} in {node} again with a value of its own: openssl rand -hex 32",
    consequence="everybody who has read the guide knows the value",
    source="seed 000, chapter 5",
)
@for_each("key", cases.secret_keys)
def test_a_secret_is_not_as_the_guide_wrote_it(key: Thing[str], facts: Facts) -> None:
    """The value under the key is none that stands for another, such as <password> or changeme."""
    namespace, _, name = key.name.partition("/")
    known = secret(facts, namespace, name)

    if key.spec not in known.keys:
        raise Unknown(f"{name} has no key {key.spec}", cause=f"secret:{key.name}")
    assert key.spec not in known.placeholders, found(f"{key.spec} stands for a value", expected="a value")


@check(
    "kubernetes.same-secret",
    severity="critical",
    remedy="create all secrets that share {name} with one value; kubectl rollout restart of what uses them",
    consequence="the one side does not let the other in",
    source="seed 000, chapters 5.3 and 14",
)
@for_each("group", cases.same_secrets)
def test_a_shared_value_is_the_same_everywhere(group: SameSecret, bed: Bed, facts: Facts) -> None:
    """The values are equal wherever the bed file says so."""
    digests = {value: digest(facts, bed, value) for value in group.values}
    first = digests[group.values[0]]
    others = [value for value, found_there in digests.items() if found_there != first]

    assert not others, found(f"{' and '.join(others)}: not that of {group.values[0]}", expected="one value")


def digest(facts: Facts, bed: Bed, value: str) -> str:
    """The digest of a value written secret/KEY or secret/KEY#password."""
    name, _, key = value.partition("/")
    namespace = bed.secrets[name].namespace
    known = secret(facts, namespace, name)
    if key not in known.digests:
        raise Unknown(f"{name} has no {key}", cause=f"secret:{namespace}/{name}")
    return known.digests[key]


@check(
    "kubernetes.bundle",
    severity="critical",
    remedy="create the bundle of {name} again from the authority's own certificate (seed 000, chapter 5.6)",
    consequence="clients that trust {name} trust nobody, or do not start",
    source="seed 000, chapter 5.6",
)
@for_each("authority", cases.bundles)
def test_a_bundle_holds_certificates(authority: Thing[Authority], facts: Facts) -> None:
    """What workloads trust is there, under its key, and holds at least one certificate."""
    bundle = authority.spec.bundle
    place = bundle.configmap or bundle.secret
    pem = facts.kubernetes.bundle(authority.name)

    assert pem is not None, found(f"nothing under {bundle.key} of {place}", expected="certificates")
    assert x509.readable(pem), found(f"no certificate under {bundle.key} of {place}", expected="certificates")
