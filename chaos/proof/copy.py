"""A fault of the bed file is put into a copy of it, in a folder of its own; neither the file nor the bed is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from chaos.actions.inventory import altered
from chaos.call import Call


@contextmanager
def copied(bed_file: Path, calls: Sequence[Call]) -> Iterator[Path]:
    """A copy of a bed file, changed by `inventory.set` calls. ActionFailed where it cannot be read then."""
    changes = [(path, value) for call in calls for path, value in call.arguments["values"].items()]
    with TemporaryDirectory(prefix="plumbline-") as folder:
        file = Path(folder) / bed_file.name
        file.write_text(altered(bed_file, changes), encoding="utf-8")
        yield file
