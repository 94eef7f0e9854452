"""Reading a bed file."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML, YAMLError
from pydantic import ValidationError

from plumbline.bed.errors import BedError
from plumbline.bed.expand import expand
from plumbline.bed.model import Bed


def load(path: Path | str) -> Bed:
    """The bed that a file declares; BedError says what is wrong with the file, where, and what was expected."""
    try:
        return Bed.model_validate(expand(YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))))
    except (OSError, YAMLError, ValidationError) as error:
        raise BedError(f"{path}: {error}") from error
