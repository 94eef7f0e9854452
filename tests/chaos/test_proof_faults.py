"""The faults that come with the project: they can be read, name what there is, and leave no check out."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase

import pytest

from chaos.fault import Fault, load_all
from plumbline import catalogue
from plumbline.bed import Bed, load
from plumbline.check import LAYERS

LEAST = 100


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(catalogue.BED)


@pytest.fixture(scope="module")
def checks(bed: Bed) -> dict[str, catalogue.Entry]:
    return {entry.check.id: entry for entry in catalogue.entries(catalogue.ROOT, bed)}


@pytest.fixture(scope="module")
def faults(bed: Bed, checks: dict[str, catalogue.Entry]) -> list[Fault]:
    """Every fault; each call of it can be made on the bed, each check that it names is one."""
    return load_all(bed, checks=checks.keys())


def test_there_are_faults_of_every_layer(faults: list[Fault]) -> None:
    assert len(faults) >= LEAST
    assert {fault.layer for fault in faults} == set(LAYERS)


def test_every_check_has_a_fault_that_turns_it_red(faults: list[Fault], checks: dict[str, catalogue.Entry]) -> None:
    named = {id for fault in faults for id in fault.red}

    assert not sorted(checks.keys() - named)


def test_what_a_fault_turns_red_first_is_of_its_layer(faults: list[Fault]) -> None:
    strays = [fault.fault for fault in faults if not any(id.startswith(f"{fault.layer}.") for id in fault.red)]

    assert not strays


def test_no_check_is_named_twice_in_one_fault(faults: list[Fault]) -> None:
    assert not [fault.fault for fault in faults if max(Counter((*fault.red, *fault.also)).values()) > 1]


def test_a_fault_says_where_it_was_told_of(faults: list[Fault]) -> None:
    known = ("seed ", "RFC ", "kubernetes.io")

    assert not [fault.fault for fault in faults if not fault.stands_for.startswith(known)]


def test_the_subject_of_a_fault_of_the_bed_file_is_one_that_a_check_is_about(
    faults: list[Fault], checks: dict[str, catalogue.Entry]
) -> None:
    about = {subject for entry in checks.values() if entry.check.layer == "inventory" for subject in entry.subjects}

    for fault in faults:
        for pattern in fault.subject if fault.layer == "inventory" else ():
            there = pattern.startswith("dns:") or any(fnmatchcase(subject, pattern) for subject in about)
            assert there, f"{fault.fault}: {pattern}"
