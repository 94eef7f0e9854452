"""Libraries that are imported late: all are there before several threads could import them at once."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from plumbline.bed import load
from plumbline.collect import run, services
run._import(load(Path("inventories/lab.yaml")), services.SERVICES)
print(" ".join(sys.modules))
"""


def late(file: Path) -> Iterator[str]:
    """The packages that functions of a file import."""
    for function in ast.walk(ast.parse(file.read_text())):
        for node in ast.walk(function) if isinstance(function, ast.FunctionDef) else ():
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def test_what_functions_of_the_collection_import_is_there_before_they_run() -> None:
    wanted = {name for file in (ROOT / "plumbline" / "collect").glob("*.py") for name in late(file)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)

    assert {"requests", "hvac", "consul", "kubernetes"} <= wanted
    assert wanted <= set(done.stdout.split())
