"""The node's program as one text: every module of plumbline.remote, and the request at its end."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

# No importlib.abc: it takes longer to import than all of this program.
_LOADER = """\
import importlib.machinery, json, sys
SOURCES = {sources}
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in SOURCES:
            package = name in ("plumbline", "plumbline.remote")
            return importlib.machinery.ModuleSpec(name, self, is_package=package)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(compile(SOURCES[module.__name__], module.__name__, "exec"), module.__dict__)
sys.meta_path.insert(0, Finder())
from plumbline.remote.program import main
main(json.loads(REQUEST))
"""
START = "import sys; n = int(sys.stdin.buffer.readline()); exec(compile(sys.stdin.buffer.read(n), 'plumbline', 'exec'))"
"""What `python3 -IS -c` is given where the program is to read more than itself: see `ahead`."""


@cache
def _loader() -> str:
    sources = {"plumbline": "", "plumbline.remote": ""}
    for item in files("plumbline.remote").iterdir():
        if item.name.endswith(".py") and item.name != "__init__.py":
            sources[f"plumbline.remote.{item.name[:-3]}"] = item.read_text(encoding="utf-8")
    return _LOADER.replace("{sources}", repr(sources))


def text(request: dict[str, Any]) -> bytes:
    """The text that `python3 -` on a node answers a request with; see plumbline.remote.program for its keys."""
    return f"REQUEST = {json.dumps(json.dumps(request))}\n{_loader()}".encode()


def ahead(request: dict[str, Any]) -> bytes:
    """The text for a node that runs START: the program's length, and the program; what is sent later is its input."""
    written = text(request)
    return f"{len(written)}\n".encode() + written


def read(output: bytes | bytearray, nonce: str) -> dict[str, Any]:
    """The document between the markers; ValueError where there is none."""
    _, begin, rest = output.partition(f"<<<plumbline {nonce}\n".encode())
    body, finish, _ = rest.partition(f"\nplumbline {nonce}>>>".encode())
    if not (begin and finish):
        raise ValueError("no answer between the markers")
    document = json.loads(body)
    return dict(document)
