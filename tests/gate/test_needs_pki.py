"""What certificates stand on: a red renewal leads to what stops it, and not the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.bed import Bed, load
from plumbline.needs import graph, needs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(ROOT / "inventories" / "lab.yaml")


@pytest.mark.parametrize(
    ("red", "beneath"),
    [
        ("tls-validity:jast/steady", "renewer-path:jast/cert-steady"),
        ("tls-validity:jast/steady", "step-ca:jast"),
        ("tls-served:jast/steady", "tls-file:jast/steady"),
        ("canary:erenford/canary", "renewer:erenford/cert-canary"),
        ("renewal-run:erenford/cert-canary", "step-ca:jast"),
        ("setting:erenford/failed-units", "step-ca:jast"),
        ("authority:bettley", "root:bettley"),
        ("longest:jast", "provisioner:jast"),
        ("provisioner:jast", "authority:jast"),
        ("anonymous:jast", "step-ca:jast"),
        ("renewal-run:erenford/cert-canary", "authority:erenford"),
        ("renewer-looks:erenford/cert-canary", "renewer-times:erenford/cert-canary"),
        ("ssh-other:bettley>cargyll", "ssh-user-principals:bettley/root"),
        ("ssh-host-validity:jast", "ssh-renewer-command:jast/ssh-host-renewer"),
        ("ssh-user-renewal:bettley/root", "ssh-renewer:bettley/ssh-root-renewer"),
        ("ssh-login:bettley>jast", "ssh-trust:jast"),
        ("ssh-login:bettley>jast", "ssh-user-validity:bettley/root"),
        ("ssh-login:bettley>jast", "clock:jast"),
        ("ssh-known-hosts:bettley", "ssh-ca:host"),
    ],
)
def test_one_stands_on_the_other_alone(bed: Bed, red: str, beneath: str) -> None:
    assert beneath in needs(bed, red)
    assert red not in needs(bed, beneath)


@pytest.mark.parametrize("kind", ["ssh-refusal", "ssh-other"])
def test_a_login_that_should_be_refused_has_no_excuse_in_one_that_is_not_made(bed: Bed, kind: str) -> None:
    assert "ssh-login:bettley>cargyll" not in needs(bed, f"{kind}:bettley>cargyll")


def test_nothing_of_it_stands_on_itself(bed: Bed) -> None:
    kinds = ("tls-", "renew", "ssh", "step", "root", "authority:", "provisioner", "canary", "clock")
    ring = [s for s, under in graph(bed).items() if s.startswith(kinds) and any(s in needs(bed, u) for u in under)]

    assert ring == []
