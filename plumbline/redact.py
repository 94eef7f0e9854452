"""Keeps secrets out of what is written: values that the bed file takes from elsewhere, and what looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from plumbline.bed import Bed, BedError, resolve

HIDDEN = "▒▒▒"
_SHORTEST = 4
_REFERENCE = re.compile(r"\$\{(?:env|file):[^{}\"]+\}")
_LOOKS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"
    r"|(?<=[Bb]earer )[A-Za-z0-9._~+/=-]{8,}"
    r"|(?i:(?:password|passwd|token|client_secret|api_?key)\s*[=:]\s*)[\"']?[^\s\"',;]{4,}"
)


@dataclass(frozen=True)
class Redactor:
    """Replaces secret values in text; call it with the text."""

    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, bed: Bed) -> Redactor:
        """Knows every ${env:NAME} and ${file:path} that the bed file mentions."""
        return cls.knowing(_value(reference, bed) for reference in set(_REFERENCE.findall(bed.model_dump_json())))

    @classmethod
    def knowing(cls, values: Iterable[str]) -> Redactor:
        """Knows these values; very short ones would blot out half of every text, and are no secrets."""
        return cls(tuple(sorted({v for v in values if len(v) >= _SHORTEST}, key=lambda v: (-len(v), v))))

    def __call__(self, text: str) -> str:
        for value in self.values:
            text = text.replace(value, HIDDEN)
        return _LOOKS.sub(HIDDEN, text)


def _value(reference: str, bed: Bed) -> str:
    """What a reference stands for; nothing where it is unset, since there is nothing to hide then."""
    try:
        return resolve(reference, bed.path)
    except BedError:
        return ""
