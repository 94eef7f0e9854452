"""Keeps secrets out of what is written: values that the bed file takes from elsewhere, and what looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from plumbline.bed import Bed, BedError, resolve
from plumbline.bed.machines import Ssh

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
        """Knows every ${env:NAME} and ${file:path} that the bed file mentions, but for how files of access are called."""
        ways = {"ssh": Ssh(), "kubeconfig": None, "context": None}
        rest = bed.model_copy(update={"access": bed.access.model_copy(update=ways)})
        secret = set(_REFERENCE.findall(rest.model_dump_json()))
        named = set(_REFERENCE.findall(bed.access.model_dump_json())) - secret
        long = (value for value in (_value(each, bed) for each in named) if "\n" in value)  # no name of a file
        return cls.knowing([*(_value(each, bed) for each in secret), *long])

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
