"""A file of the temporary folder: a fault that needs no bed, to learn and to torture the undo with."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from chaos.call import Arguments, Call, action
from chaos.reach import Reach
from plumbline.bed import Bed


def below_temporary(path: str) -> str:
    """A path that nothing but a scratch stands at; ValueError for any other."""
    if Path(tempfile.gettempdir()).resolve() not in Path(path).resolve().parents:
        raise ValueError(f"a path below {tempfile.gettempdir()}")
    return path


@action("scratch.file")
class ScratchFile(Arguments):
    """The file has this text; null: it is not there. `seconds` is how long it takes to write."""

    path: Annotated[str, AfterValidator(below_temporary)]
    text: str | None
    seconds: float = Field(default=0.0, ge=0, le=10)

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("scratch.file", {"path": self.path, "text": self._now()})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        time.sleep(self.seconds)
        if self.text is None:
            Path(self.path).unlink(missing_ok=True)
            return
        part = Path(f"{self.path}.part{os.getpid()}")
        part.write_text(self.text, encoding="utf-8")
        part.replace(self.path)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return self._now() == self.text

    def _now(self) -> str | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            return Path(self.path).read_text(encoding="utf-8")
        return None
