"""`scratch`: files in a folder of the temporary folder, refused while one of them is called `closed`.

A client that needs no bed, to learn and to test a game-day with; beside it stands the action scratch.file.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from chaos.actions.scratch import below_temporary
from chaos.history import client
from chaos.history.client import Answer, Talk


class Client(client.Writer):
    """Writes a file for each value."""

    path: Annotated[str, AfterValidator(below_temporary)]

    @property
    def _values(self) -> Path:
        return Path(self.path) / "values"

    def prepare(self, talk: Talk) -> None:
        shutil.rmtree(self._values, ignore_errors=True)
        self._values.mkdir(parents=True)

    def write(self, talk: Talk, value: int) -> Answer:
        if (Path(self.path) / "closed").exists():
            return Answer("failed", said="closed")
        (self._values / str(value)).touch()
        return Answer("ok")

    def read(self, talk: Talk, youngest: int) -> Answer:
        return Answer("ok", max(self._there(), default=None))

    def final(self, talk: Talk) -> Answer:
        return Answer("ok", tuple(sorted(self._there())))

    def clean(self, talk: Talk) -> None:
        shutil.rmtree(self._values, ignore_errors=True)

    def _there(self) -> list[int]:
        return [int(file.name) for file in self._values.iterdir()]
