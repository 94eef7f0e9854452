"""Texts of HashiCorp's configuration language, as far as they are looked at: settings and rules, without comments."""

from __future__ import annotations

import re

_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|#[^\n]*|//[^\n]*|/\*.*?\*/', re.DOTALL)


def uncommented(text: str) -> str:
    """The text without its comments; what looks like one inside quotes is none."""
    return _COMMENT.sub(lambda found: found[1] or " ", text)
