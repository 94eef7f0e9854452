"""Each experiment of chaos/experiments, run on the bed: it comes through, within its budgets, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plumbline.check import found


@pytest.mark.critical
@pytest.mark.active
@pytest.mark.timeout(1800)
def test_the_bed_comes_through(experiment: str, run: Callable[[str], dict[str, Any]]) -> None:
    """The bed comes through the experiment, within its budgets."""
    result = run(experiment)

    assert result["exit_code"] == 0, found(result["line"], expected="nothing lost, within the budgets of the bed file")
