"""Ranges are written once, and a wrong one is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plumbline.bed import Bed
from plumbline.bed.expand import expand
from plumbline.bed.tree import parse


def expanded(text: str) -> tuple[Any, list[str]]:
    tree, problems = parse(text, "f.yaml")
    assert tree is not None
    made = expand(tree, problems)
    return made.plain(), [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("p-{n:1-3}: {vlan: '{100+n}'}", {f"p-{n}": {"vlan": 100 + n} for n in (1, 2, 3)}),
        ("p-{n:9-11}: 10.1.{n}.0/27", {f"p-{n}": f"10.1.{n}.0/27" for n in (9, 10, 11)}),
        ("'{n:1-2}': ['{n*16}', '{n-1}', 'x{n}']", {"1": [16, 0, "x1"], "2": [32, 1, "x2"]}),
        ("a-{n:1-2}-{m:1-2}: '{n}{m}'", {"a-1-1": "11", "a-1-2": "12", "a-2-1": "21", "a-2-2": "22"}),
        ("a-{n:1-2}: {'{m:1-2}': '{n}.{m}'}", {"a-1": {"1": "1.1", "2": "1.2"}, "a-2": {"1": "2.1", "2": "2.2"}}),
        ("o-{n:1,5,20}: '{n}'", {"o-1": 1, "o-5": 5, "o-20": 20}),
        ("o-{n:1,5}-{m:2-3}: '{n}{m}'", {"o-1-2": "12", "o-1-3": "13", "o-5-2": "52", "o-5-3": "53"}),
        ("a: ${env:HOME}", {"a": "${env:HOME}"}),
    ],
)
def test_a_ranged_key_is_written_out(text: str, value: Any) -> None:
    assert expanded(text) == (value, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p-{n:20-1}: 1", "f.yaml:1:1: p-{n:20-1}: expected a range that counts up, of at most 4096, found {n:20-1}"),
        ("p-{n:1-99999}: 1", "of at most 4096"),
        ("p-{n: 1-3}: 1", "expected a range such as persona-{n:1-20}, found p-{n: 1-3}"),
        ("p-{n}: 1", "expected a range such as persona-{n:1-20}"),
        ("p-{n:5,5}: 1", "p-5: the range gives p-5, which stands there already"),
        ("p-{n:5,}: 1", "expected a range such as persona-{n:1-20}"),
        ("p-{n:1-2}: 1\np-2: 2", "f.yaml:2:1: p-2: the range gives p-2, which stands there already; at f.yaml:1:1"),
        ("p: '{m}'", "f.yaml:1:4: p: expected a range {m:first-last} in a key above, found {m}"),
        ("'{n:1-2}': {'x{n:1-2}': 1}", "the range variable n is used by a key above"),
    ],
)
def test_a_wrong_range_is_told(text: str, said: str) -> None:
    assert any(said in problem for problem in expanded(f"{text!s}".replace("p-{n: 1-3}", "'p-{n: 1-3}'"))[1])


def test_a_copy_can_be_changed_by_the_file_above(small_with: Callable[[str], Bed]) -> None:
    bed = small_with("budgets: {'b-{n:1-3}': '{n}s'}")

    assert [duration.total_seconds() for duration in bed.budgets.values()] == [1, 2, 3]
