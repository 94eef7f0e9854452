"""What is secret in the lab's Consul, made once and kept for as long as the lab is: a file each, for root alone."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Callable
from pathlib import Path

MANAGEMENT = "management"
"""The token that may do everything; the faults use it, and no node and no gate has it."""


class Kept:
    """The secrets of one lab, below its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "consul"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def gossip_key(self) -> str:
        """The key that members of the gossip share, 32 bytes as Base64."""
        return self._text("gossip", lambda: base64.b64encode(os.urandom(32)).decode())

    def token(self, name: str) -> str:
        """The secret of the token of this name."""
        return self._text(name, lambda: str(uuid.UUID(bytes=os.urandom(16), version=4)))

    def path(self, name: str) -> str:
        """The file of the token of this name."""
        self.token(name)
        return str(self.folder / name)

    def put(self, name: str, text: str) -> str:
        """A file of this name; returns its path."""
        place = self.folder / name
        part = place.with_name(f".{name}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(place)
        return str(place)

    def _text(self, name: str, make: Callable[[], str]) -> str:
        place = self.folder / name
        if not place.exists():
            self.put(name, make())
        return place.read_text(encoding="utf-8")
