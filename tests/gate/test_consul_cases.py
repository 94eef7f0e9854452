"""Ways to run Consul that a bed file may declare, and of which each can be right."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suites.consul.cases import binds, certified, on, over_https, setting
from suites.consul.test_settings import test_an_agent_listens_where_it_should_and_nowhere_else as judge
from tests.collect.test_consul_tls import declared


def test_only_https_that_wants_a_certificate_is_asked_without_one(tmp_path: Path) -> None:
    uncertified, settings = certified(on("uncertified", "servers")), over_https(setting("https-tls", "servers"))
    free = declared(tmp_path, more="client_certificate: false")
    plain = declared(tmp_path, https=False)

    assert [len([*uncertified(bed)]) for bed in (declared(tmp_path), free, plain)] == [1, 0, 0]
    assert [len([*settings(bed)]) for bed in (declared(tmp_path), free, plain)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("place", "listening", "good"),
    [("every", "::", True), ("every", "0.0.0.0", True), ("every", "127.0.0.1", False), ("loopback", "::", False)],
)
def test_an_agent_that_listens_everywhere_does_so_for_both_families(
    tmp_path: Path, place: str, listening: str, good: bool
) -> None:
    bed = declared(tmp_path, more=f"client: {{http: {{port: 8500, on: [{place}]}}}}")
    port = next(case.value for case in binds(bed) if case.subject == "consul-bind:two/http")
    facts: Any = SimpleNamespace(node=lambda _: SimpleNamespace(listening=lambda *_: (listening,)))

    with nullcontext() if good else pytest.raises(AssertionError, match=listening):
        judge(port, facts, bed)
