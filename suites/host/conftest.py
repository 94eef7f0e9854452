"""What the suite of this folder speaks with."""

from __future__ import annotations

import pytest

from plumbline.bed import Bed
from plumbline.facts import Facts


@pytest.fixture(scope="session")
def answering(bed: Bed, facts: Facts) -> list[str]:
    """The nodes that answered; one that did not is the finding of host.answers alone."""
    logins = [name for name, node in bed.nodes.items() if node.ssh]
    return [name for name in logins if facts.raw(f"nodes/{name}").outcome == "ok"]
