"""What is on a node that runs a Vault server: its process, who may read what it keeps, and the key of its seal."""

from __future__ import annotations

import hashlib
import hmac
import os
import pwd
import stat

from plumbline.remote.command import run
from plumbline.remote.types import Json

_STATUS = ("Uid", "NoNewPrivs", "CapBnd", "CapEff")


def describe(request: Json) -> Json:
    """The facts of a server.

    `request`: unit, environment (path of the file with the key of the seal), keys (names of its variables), files (paths), salt
    (hexadecimal). No secret is told: of a key only a digest by the salt, which is new in each run.
    """
    salt = bytes.fromhex(request["salt"])
    process = _main(request["unit"])
    return {
        "process": _process(process) if process else None,
        "keys": _digests(_assignments(_read(request["environment"])), request["keys"], salt),
        "loaded_keys": _digests(_loaded(process), request["keys"], salt) if process else {},
        "files": {path: _file(path) for path in request["files"]},
    }


def _main(unit: str) -> int:
    return int(run("systemctl", "show", "--property=MainPID", "--value", "--", unit).strip() or 0)


def _process(process: int) -> Json:
    lines = _read(f"/proc/{process}/status").splitlines()
    said = {name: value.split() for name, _, value in (line.partition(":") for line in lines) if name in _STATUS}
    return {
        "user": _user(int(said["Uid"][1])),
        "no_new_privileges": said["NoNewPrivs"] == ["1"],
        "bounding": int(said["CapBnd"][0], 16),
        "effective": int(said["CapEff"][0], 16),
    }


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _loaded(process: int) -> dict[str, str]:
    """The environment that a process was started with."""
    return dict(part.partition("=")[::2] for part in _read(f"/proc/{process}/environ").split("\0") if "=" in part)


def _assignments(text: str) -> dict[str, str]:
    """NAME=value lines, as systemd reads an environment file."""
    lines = [line.strip() for line in text.splitlines()]
    named = (line.partition("=")[::2] for line in lines if "=" in line and not line.startswith(("#", ";")))
    return {name.strip(): value.strip().strip("'\"") for name, value in named}


def _digests(values: dict[str, str], names: list[str], salt: bytes) -> dict[str, str]:
    """A digest by the salt for each value that is there."""
    return {n: hmac.new(salt, values[n].encode(), hashlib.sha256).hexdigest()[:16] for n in names if values.get(n)}


def _file(path: str) -> Json | None:
    """Owner and mode; None where there is nothing at that path."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return {"owner": _user(found.st_uid), "mode": stat.S_IMODE(found.st_mode), "size": found.st_size}


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
