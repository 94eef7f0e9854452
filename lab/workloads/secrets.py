"""The values of a bed's secrets: made once for a lab, kept in its private folder, equal where the bed says so."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from lab.errors import LabError
from plumbline.bed import Bed
from plumbline.bed.model import Workload

_DATABASE = "agent_dashboard"
_ADMIN = "admin"


def values(bed: Bed, folder: Path) -> dict[str, str]:
    """Value of every key of every secret of the bed, by `secret/KEY`.

    They are kept in `folder/secrets.json`, which only root may read, so that a second `up` changes nothing; keys that
    the bed file has gained since are added.
    """
    kept = folder / "secrets.json"
    before: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    made = made_values(bed, before)
    if made != before:
        _write_private(kept, json.dumps(made, indent=1, sort_keys=True))
    return made


def made_values(bed: Bed, before: Mapping[str, str]) -> dict[str, str]:
    """The values of `before` for what the bed declares, and new ones for the rest; URLs are made of the others."""
    wanted = [f"{name}/{key}" for name, secret in bed.secrets.items() for key in secret.keys]
    shared = {value: group.values[0] for group in bed.same_secret for value in group.values}
    originals: dict[str, str] = {}

    def value(place: str) -> str:
        """The value at a place, the same for all places that the bed declares equal."""
        original = shared.get(place, place)
        if original not in originals:
            known = next((before[p] for p in (place, original) if p in before and "#" not in p), None)
            originals[original] = known or _random(original.partition("/")[2].partition("#")[0])
        return originals[original]

    result = {place: value(place) for place in wanted if not place.endswith("_URL")}
    for place in wanted:
        if place.endswith("_URL"):
            result[place] = _url(bed, place, result, value(f"{place}#password"))
    return result


def service(bed: Bed, program: str) -> tuple[str, Workload] | None:
    """Name and declaration of the first workload that runs a program."""
    return next(((name, workload) for name, workload in bed.workloads.items() if workload.program == program), None)


def _random(key: str) -> str:
    if key.endswith("_USER") or key.endswith("_DB"):
        return _DATABASE
    if key.endswith("BASIC_AUTH"):
        return f"{_ADMIN}:{secrets.token_urlsafe(18)}"
    if key.endswith("PASSWORD") or key.endswith("_URL"):
        return secrets.token_urlsafe(24)  # letters, digits, - and _: nothing that a URL would quote
    if key.endswith("COMMUNITY"):
        return secrets.token_hex(12)
    return secrets.token_hex(32)


def _url(bed: Bed, place: str, plain: Mapping[str, str], password: str) -> str:
    """Where the service of a URL is; the database is reached through its connection pool where the bed has one."""
    if place.endswith("DATABASE_URL"):
        found = service(bed, "pgbouncer") or service(bed, "postgres")
        user = next((v for k, v in plain.items() if k.endswith("POSTGRES_USER")), _DATABASE)
        database = next((v for k, v in plain.items() if k.endswith("POSTGRES_DB")), _DATABASE)
        if found:
            name, workload = found
            return f"postgresql://{user}:{password}@{bed.host_of(name)}:{workload.port}/{database}?sslmode=require"
    program = place.partition("/")[2].removesuffix("_URL").lower().replace("_", "-")
    if found := service(bed, program):
        name, workload = found
        return f"http://{bed.host_of(name)}:{workload.port}"
    raise LabError(f"secret {place}: no workload of the bed runs {program}, so its URL is unknown")


def _write_private(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
