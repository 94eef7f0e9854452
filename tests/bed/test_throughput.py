"""Load targets in a bed file: what is wrong with one is told by place and expectation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from plumbline.bed import Bed, BedError, load

TARGET = """
load:
  limits: {{users: 50, requests: 10000, time: 1m}}
  targets:
    kept: {{profile: tls_inspection, from: {source}, to: {to}, users: {users}, {more} promise: {{{promise}}}}}
"""
ATTACK = """
load:
  limits: {{users: 50, requests: 10000, time: 1m}}
  targets:
    page:  {{profile: webui_dos, from: agent, to: personas, users: 10, during: {during}, steady: 10s, promise: {{failed: 1%}}}}
    flood: {{profile: webui_dos, from: agent, service: {service}, users: {attackers}, protocol: {protocol}, steady: {steady}, promise: {{refused: 95%}}}}
"""
ATTACK_WORDS = {"during": "flood", "attackers": "20", "steady": "15s", "service": "files", "protocol": "http/1.1"}
MADE = """
load:
  limits: {{users: 50, requests: 1000, time: 1m}}
  targets:
    attachments-{{o:10,20}}: {{profile: attachments, to: kubernetes, users: 5, pace: "{{o}}", {factors} steady: 10s, promise: {{within: {{p95: 5s}}, scheduled: {{p90: 1s}}}}}}
"""
INVENTORIES = Path(__file__).parents[2] / "inventories"
WORDS = {"source": "agent", "to": "personas", "users": "20", "more": "", "promise": "rate: 10"}
With = Callable[[str], Bed]


def test_a_target_has_defaults_that_are_bounded(small_with: With) -> None:
    bed = small_with(TARGET.format(**{**WORDS, "promise": "within: {p99.9: 50ms}"}))

    assert bed.load is not None
    target = bed.load.targets["kept"]
    assert (target.protocol, target.connections, target.pace, target.objects) == ("http/1.1", "kept", None, ("/",))
    assert (target.promise.failed, target.promise.within) == (None, {"p99.9": timedelta(milliseconds=50)})
    assert (target.time, target.timeout) == (timedelta(seconds=25), timedelta(seconds=10))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"users": "51"}, "targets within load.limits: kept asks for 51 users, 50 are allowed"),
        ({"more": "steady: 2m,"}, "kept asks for 128 seconds of warm_up, steady and 3 s of end, 60 are allowed"),
        ({"more": "steady: 53s,"}, "kept asks for 61 seconds of warm_up, steady and 3 s of end, 60 are allowed"),
        ({"more": "pace: 500,"}, "kept asks for 12500 requests by its pace, 10000 are allowed"),
        ({"more": "pace: 9,"}, "load.targets.kept: expected a promised rate of at most the pace, 9 a second"),
        ({"more": "steady: 2s,"}, "expected a steady phase of at least 3s"),
        (
            {"more": "pace: 10, steady: 9s,", "promise": "first_byte: {p99: 9ms}"},
            "expected a longer steady phase, or p95: p99 takes 368 answers, and 90 are planned",
        ),
        ({"more": "protocol: h3,"}, "load.targets.kept.protocol: expected 'http/1.1' or 'h2'"),
        ({"promise": "connections: 9"}, "expected connections: new, where connections a second are promised"),
        ({"promise": "handshake: {p50: 9ms}"}, "expected connections: new, where a time of handshakes is promised"),
        ({"promise": "within: {p100: 9ms}"}, "within.p100: expected a percentile such as p50, p99 or p99.9"),
        ({"promise": "failed: 1"}, "promise.failed: expected a percentage such as 0.001%, found 1"),
        ({"promise": "rat: 1"}, "load.targets.kept.promise.rat: the key rat is unknown here; did you mean rate?"),
        (
            {"source": "agnet"},
            'load.targets.kept.from: expected a name from workloads, found "agnet"; did you mean agent?',
        ),
        ({"to": "orgin"}, "load.targets.kept.to: expected a name from personas"),
        (
            {"more": "service: agent,"},
            "expected either to (personas, or consul, vault, dns, slurm, kubernetes) or service",
        ),
        ({"to": "consul"}, "expected from: a workload, but where consul, vault, slurm, kubernetes are asked"),
        ({"more": "during: kept,"}, "expected during: another target, where kept has kept (there are: none)"),
    ],
)
def test_what_is_wrong_with_a_target(small_with: With, changed: dict[str, str], said: str) -> None:
    with pytest.raises(BedError) as caught:
        small_with(TARGET.format(**{**WORDS, **changed}))

    assert said in str(caught.value)
    assert "bed.yaml:" in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"during": "flod"}, "expected during: another target, where page has flod (there are: flood)"),
        ({"steady": "14s"}, "expected flood to last 5 s longer than page, since it is driven all the while"),
        ({"attackers": "41"}, "page and flood ask for 51 users together, 50 are allowed"),
        ({"service": "agnet"}, 'load.targets.flood.service: expected a name from workloads, found "agnet"'),
        (
            {"protocol": "h2"},
            "expected protocol http/1.1 and no time of handshakes, where a service is asked over HTTP",
        ),
    ],
)
def test_what_is_wrong_with_an_attack(small_with: With, changed: dict[str, str], said: str) -> None:
    with pytest.raises(BedError) as caught:
        small_with(ATTACK.format(**{**ATTACK_WORDS, **changed}))

    assert said in str(caught.value)


def test_a_target_may_be_borne_during_an_attack(small_with: With) -> None:
    load_of = small_with(ATTACK.format(**ATTACK_WORDS)).load

    assert load_of is not None
    assert load_of.targets["page"].during == "flood"
    assert load_of.targets["flood"].promise.refused == 0.95


CONTROL = """
{over}
load:
  limits: {{users: 50, requests: 10000, time: 5m}}
  targets:
    control: {{profile: any, to: {to}, users: 3, {words}}}
"""
VAULT = "vault: {on: [one], cluster: v, certificate: v, seal: {type: static}, load: secret/own}"
SHOWN = "service_certificates: {v: {on: [one], unit: v, certificate: /c, key: /k, owner: v}}"


@pytest.mark.parametrize(
    ("to", "over", "words", "said"),
    [
        ("consul", "", "promise: {rate: 9}", "load.targets.control.to: expected Consul, whose servers listen for HTTPS, found none"),
        ("vault", "", "promise: {rate: 9}", "expected Vault, with a folder for load, found none; add vault.load: secret/"),
        (
            "vault", f"{SHOWN}\n{VAULT}", "steady: 2m, promise: {rate: 9}",
            "expected a run that is over while its token lives, 120 s, found 0:02:05; shorten steady",
        ),
        ("slurm", "", "pace: 5, promise: {rate: 4}", "expected Slurm, with a user of jobs, found none; add slurm.jobs"),
        ("slurm", "", "promise: {rate: 4}", "expected a pace, and at most 2000 jobs by it in all, where slurm is asked"),
        ("slurm", "", "pace: 81, promise: {rate: 4}", "expected a pace, and at most 2000 jobs by it in all"),
        ("dns", "", "promise: {rate: 9}", "expected Consul, whose servers answer DNS on their own addresses, found none that"),
        ("dns", "kubernetes: null", "from: agent, promise: {rate: 9}", "expected the cluster's DNS, since it is asked from a"),
        ("dns", "", "from: agent, connections: new, promise: {rate: 9}", "expected connections: kept, and a promise of rate"),
        ("dns", "", "from: agent, promise: {first_byte: {p50: 9ms}}", "where dns is asked"),
    ],
)  # fmt: skip
def test_what_the_control_plane_of_a_bed_has_to_have(
    small_with: With, to: str, over: str, words: str, said: str
) -> None:
    with pytest.raises(BedError) as caught:
        small_with(CONTROL.format(to=to, over=over, words=words))

    assert said in str(caught.value)
    assert "bed.yaml:" in str(caught.value)


SCALED = """
workloads: {{files: {{scale: 1-4, hpa: {{cpu: "{cpu}"}}}}}}
load:
  limits: {{users: 50, requests: 10000, time: 1m}}
  targets:
    scaled: {{profile: webui_dos, from: agent, {to}, users: 3, promise: {{spread: {{replicas: {replicas}}}}}}}
"""
SCALED_WORDS = {"cpu": "50%", "to": "service: files", "replicas": "4"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"replicas": "5"},
            "load.targets.scaled.promise.spread.replicas: expected at most 4, as many as files may have",
        ),
        ({"to": "to: personas"}, "expected service, where a spread over its pods is promised"),
        ({"cpu": "half"}, "workloads.files.hpa"),
    ],
)
def test_what_a_spread_needs(small_with: With, changed: dict[str, str], said: str) -> None:
    assert small_with(SCALED.format(**SCALED_WORDS)).load
    with pytest.raises(BedError) as caught:
        small_with(SCALED.format(**{**SCALED_WORDS, **changed}))

    assert said in str(caught.value)


SPREAD = """
{over}
load:
  limits: {{users: 50, requests: 10000, time: 1m}}
  {image}
  targets:
    spread: {{profile: tls_inspection, {way}, users: 3, workers: {workers}, promise: {{rate: 9}}}}
"""
SPREAD_WORDS = {
    "over": "",
    "image": "image: registry.invalid/load:1",
    "way": "from: agent, to: personas",
    "workers": "3",
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"image": ""},
            "load.targets.spread.workers: expected an image, and Kubernetes to run it, found no load.image",
        ),
        ({"workers": "4"}, "expected a user for each worker at least, 4"),
        ({"way": "to: consul"}, "expected from: the workload at whose place its workers are"),
        ({"workers": "0"}, "load.targets.spread.workers: expected"),
    ],
)
def test_what_workers_need(small_with: With, changed: dict[str, str], said: str) -> None:
    with pytest.raises(BedError) as caught:
        small_with(SPREAD.format(**{**SPREAD_WORDS, **changed}))

    assert said in str(caught.value)
    assert "bed.yaml:" in str(caught.value)


BESIDE = """
flows: [{{from: agent, to: personas, through: fw, expect: inspected}}, {{from: files, to: personas, through: fw, expect: {way}}}]
load:
  limits: {{users: 50, requests: 10000, time: 1m}}
  targets:
    inspected: {{profile: tls_inspection, from: agent, to: personas, users: 10, {more} promise: {{ratio: {{of: {of}, rate: 30%}}}}}}
    past:      {{profile: tls_inspection, from: files, to: personas, users: {users}, promise: {{failed: 1%}}}}
"""
BESIDE_WORDS = {"way": "bypassed", "of": "past", "users": "10", "more": ""}


def test_a_target_may_be_measured_beside_one_that_is_not_inspected(small_with: With) -> None:
    declared = small_with(BESIDE.format(**BESIDE_WORDS)).load

    assert declared
    ratio = declared.targets["inspected"].promise.ratio
    assert ratio
    assert (ratio.of, ratio.rate) == ("past", 0.3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"of": "pats"}, "expected ratio.of: another target, where inspected has pats (there are: past)"),
        ({"of": "inspected"}, "expected ratio.of: another target, where inspected has inspected"),
        ({"users": "9"}, "expected the same users for inspected and for past, which its ratio is of"),
        ({"more": "protocol: h2,"}, "expected the same protocol for inspected and for past"),
        ({"more": "pace: 9,"}, "expected no pace, where a ratio is promised"),
        (
            {"way": "inspected"},
            "load.targets.inspected.promise.ratio.of: expected an inspected target beside one that is not, "
            "found one that is inspected beside one that is inspected; name a target by a flow with expect: bypassed",
        ),
    ],
)
def test_what_is_wrong_with_a_ratio(small_with: With, changed: dict[str, str], said: str) -> None:
    with pytest.raises(BedError) as caught:
        small_with(BESIDE.format(**{**BESIDE_WORDS, **changed}))

    assert said in str(caught.value)


def test_a_table_of_factors_is_a_target_for_each_of_its_rows(small_with: With) -> None:
    load_of = small_with(MADE.format(factors="factors: {agents: 9, population: 40},")).load

    assert load_of is not None
    assert [(name, target.pace) for name, target in load_of.targets.items()] == [
        ("attachments-10", 10),
        ("attachments-20", 20),
    ]
    assert load_of.targets["attachments-10"].around == timedelta(seconds=60 + (9 + 40 + 150) / 10)


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ("", "expected a pace and factors, where kubernetes is asked, and factors nowhere else"),
        ("factors: {agents: 0},", "factors.agents: expected"),
        ("factors: {agents: 9, population: 2000},", "asks for 2159 objects in all, 1000 are allowed"),
        (
            "factors: {agents: 9}, from: agent,",
            "expected from: a workload, but where consul, vault, slurm, kubernetes are asked",
        ),
    ],
)
def test_what_is_wrong_with_factors(small_with: With, factors: str, said: str) -> None:
    with pytest.raises(BedError) as caught:
        small_with(MADE.format(factors=factors))

    assert said in str(caught.value)


def test_a_stage_is_promised_only_of_objects(small_with: With) -> None:
    with pytest.raises(BedError, match="expected to: kubernetes, where a stage of objects is promised"):
        small_with(TARGET.format(**{**WORDS, "promise": "created: {p99: 1s}"}))


@pytest.mark.parametrize(
    ("more", "promise", "opens"),
    [
        ("connections: new, pace: 90,", "connections: 80", 90),
        ("connections: new,", "rate: 10", 10),
        ("", "rate: 10", 0),
    ],
)
def test_what_a_target_opens_to_keep_its_promise(small_with: With, more: str, promise: str, opens: float) -> None:
    bed = small_with(TARGET.format(**{**WORDS, "more": more, "promise": promise}))

    assert bed.load is not None
    assert bed.load.targets["kept"].opens == opens


def test_targets_of_the_lab_are_allowed_and_those_of_hardware_are_not() -> None:
    lab, hardware = load(INVENTORIES / "lab.yaml"), load(INVENTORIES / "tlsstress.yaml")

    assert lab.allow.load
    assert lab.load
    assert lab.load.targets
    assert not hardware.allow.load
    assert hardware.load is None
