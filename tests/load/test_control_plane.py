"""What the profile control_plane takes for done: a server that sends elsewhere, or fails, has done nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLEAN = """
import locustfiles.control_plane as profile   # in a process of its own: Locust changes Python
from types import SimpleNamespace as Of
asked = []

def ask(server, method, path):
    asked.append(method)
    return {answer} if path.endswith("list=true") else (204, None)

profile.run.bed = Of(vault=Of(load_paths=lambda: ("secret/data/load/", "secret/metadata/load/")))
profile.run.rights = Of(ask=ask)
try:
    profile.clean_vault(None, keys=True)
except profile.NoAnswer as error:
    print(error)
print(*asked)
"""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, None), "GET POST"),
        ((200, {"data": {"keys": ["one", "two"]}}), "GET DELETE DELETE POST"),
        ((307, None), "status 307\nGET"),
        ((503, {"errors": ["sealed"]}), "status 503\nGET"),
    ],
)
def test_only_a_list_that_is_not_there_is_one_without_keys(answer: tuple[int, object], said: str) -> None:
    command = [sys.executable, "-c", CLEAN.replace("{answer}", repr(answer))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == said
