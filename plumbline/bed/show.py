"""A bed as one file that needs no other: ranges, inventory and base written out."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from plumbline.bed.model import Bed


def show(bed: Bed, without: Mapping[str, Any] | None = None) -> str:
    """A bed file in which nothing is left to expand; loading it gives the same bed, but for what is left out."""
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width, yaml.sort_base_mapping_type_on_output = False, 120, False
    text = io.StringIO()
    left_out: Any = without
    yaml.dump(bed.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=left_out), text)
    return text.getvalue()
