"""What is said when a bed file cannot be used."""

from __future__ import annotations


class BedError(Exception):
    """A bed file that cannot be used; the text names file, line, column, what was expected and the nearest valid key."""
