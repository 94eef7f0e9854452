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
INVENTORIES = Path(__file__).parents[2] / "inventories"
WORDS = {"source": "agent", "to": "personas", "users": "20", "more": "", "promise": "rate: 10"}
With = Callable[[str], Bed]


def test_a_target_has_defaults_that_are_bounded(small_with: With) -> None:
    bed = small_with(TARGET.format(**{**WORDS, "promise": "within: {p99.9: 50ms}"}))

    assert bed.load is not None
    target = bed.load.targets["kept"]
    assert (target.protocol, target.connections, target.pace, target.objects) == ("http/1.1", "kept", None, ("/",))
    assert (target.promise.failed, target.promise.within) == (0.00001, {"p99.9": timedelta(milliseconds=50)})
    assert (target.time, target.timeout) == (timedelta(seconds=25), timedelta(seconds=10))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"users": "51"}, "targets within load.limits: kept asks for 51 users, 50 are allowed"),
        ({"more": "steady: 2m,"}, "kept asks for 125 seconds of warm_up and steady, 60 are allowed"),
        ({"more": "pace: 500,"}, "kept asks for 12500 requests by its pace, 10000 are allowed"),
        ({"more": "pace: 9,"}, "load.targets.kept: expected a promised rate of at most the pace, 9 a second"),
        ({"more": "steady: 2s,"}, "expected a steady phase of at least 3s"),
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
    ],
)
def test_what_is_wrong_with_a_target(small_with: With, changed: dict[str, str], said: str) -> None:
    with pytest.raises(BedError) as caught:
        small_with(TARGET.format(**{**WORDS, **changed}))

    assert said in str(caught.value)
    assert "bed.yaml:" in str(caught.value)


def test_targets_of_the_lab_are_allowed_and_those_of_hardware_are_not() -> None:
    lab, hardware = load(INVENTORIES / "lab.yaml"), load(INVENTORIES / "tlsstress.yaml")

    assert lab.allow.load
    assert lab.load
    assert lab.load.targets
    assert not hardware.allow.load
    assert hardware.load is None
