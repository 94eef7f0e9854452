"""The load targets that a bed declares, for whoever may drive them. It knows nothing of Locust."""

from __future__ import annotations

from collections.abc import Mapping

from plumbline.bed import Bed
from plumbline.bed.model import Target


class Refused(Exception):
    """No load: the bed does not allow it, or has no such target."""


def targets(bed: Bed) -> Mapping[str, Target]:
    """All targets by name; Refused where the bed does not allow load."""
    if not bed.allow.load:
        raise Refused(
            f"this bed does not allow load ({bed.where('allow.load')}); allow: {{load: true}} in the bed file"
        )
    return bed.load.targets if bed.load else {}
