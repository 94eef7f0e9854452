"""The catalogue is what the suites say."""

from __future__ import annotations

import pytest

from plumbline import catalogue
from plumbline.bed import load


@pytest.fixture(scope="module")
def entries() -> list[catalogue.Entry]:
    return catalogue.entries(catalogue.ROOT, load(catalogue.BED))


def test_the_page_is_up_to_date(entries: list[catalogue.Entry]) -> None:
    assert catalogue.PAGE.read_text(encoding="utf-8") == catalogue.page(entries), "make docs"


def test_a_check_stands_in_the_folder_of_its_layer(entries: list[catalogue.Entry]) -> None:
    strays = [entry.check.id for entry in entries if not entry.file.startswith(f"suites/{entry.check.layer}/")]

    assert not strays


def test_every_check_runs_on_the_lab(entries: list[catalogue.Entry]) -> None:
    assert not [entry.check.id for entry in entries if entry.runs == 0]


def test_one_id_names_one_check(entries: list[catalogue.Entry]) -> None:
    with pytest.raises(ValueError, match=f"{entries[0].check.id} stands in"):
        catalogue.ordered([*entries, entries[0]])
