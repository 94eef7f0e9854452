"""Changes a file and keeps what it was in a copy beside the node's other state, or brings it back from there.

What was in a file never leaves its node, so that no secret comes into a ledger.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import sys

KEPT = "/var/lib/plumbline/undo"


def paths(pattern: str) -> list[str]:
    """The files that are meant: a path as it is, or one below each folder that a pattern fits, there or not."""
    head, star, tail = pattern.rpartition("*/")
    if not star:
        return [os.path.realpath(pattern)]
    top = tail.partition("/")[0]
    return [os.path.realpath(f"{f}/{tail}") for f in sorted(glob.glob(f"{head}*")) if os.path.isdir(f"{f}/{top}")]


def kept(copy: str, path: str) -> str:
    """Where the copy of a file is; with `.absent` behind it where there was none."""
    return f"{KEPT}/{copy}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def change(request: dict[str, object], path: str) -> None:
    """Keeps a copy of the file unless that was done before, and writes it anew."""
    copy = kept(str(request["copy"]), path)
    old = read(path)
    if not (os.path.exists(copy) or os.path.exists(f"{copy}.absent")):
        keep(copy, path)
    elif digest(path) == text(f"{copy}.after"):
        return
    if request.get("present") is False:
        if old is not None:
            os.unlink(path)
    else:
        write(path, edited(request, old), request.get("mode"))
    put(f"{copy}.after", digest(path))


def edited(request: dict[str, object], old: str | None) -> str:
    """The new text of the file. ValueError where there is nothing to be replaced."""
    if request.get("content") is not None:
        return str(request["content"])
    new = old or ""
    replace = request.get("replace") or {}
    assert isinstance(replace, dict)
    for was, wanted in replace.items():
        if was not in new:
            raise ValueError(f"the file has no {was!r}")
        new = new.replace(was, wanted)
    return new + str(request.get("append") or "")


def keep(copy: str, path: str) -> None:
    """Copies a file with its owner and mode; notes that there is none."""
    os.makedirs(KEPT, mode=0o700, exist_ok=True)
    if not os.path.exists(path):
        put(f"{copy}.absent", "")
        return
    part = f"{copy}.part"
    shutil.copy2(path, part)
    state = os.stat(path)
    os.chown(part, state.st_uid, state.st_gid)
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    os.replace(part, copy)
    sync(KEPT)


def back(copy: str, path: str) -> None:
    """Brings a file back, and removes the copy; nothing to do where there is no copy."""
    if os.path.exists(f"{copy}.absent"):
        if os.path.exists(path):
            os.unlink(path)
        os.unlink(f"{copy}.absent")
    elif os.path.exists(copy):
        part = f"{path}.plumbline"
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600))  # what is secret is so from its first byte on
        shutil.copy2(copy, part)
        state = os.stat(copy)
        os.chown(part, state.st_uid, state.st_gid)
        place(part, path)
        os.unlink(copy)
    if os.path.exists(f"{copy}.after"):
        os.unlink(f"{copy}.after")


def write(path: str, new: str, mode: object) -> None:
    """Writes a file whole or not at all, with the mode and owner that it had."""
    part = f"{path}.plumbline"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(part, "w", encoding="utf-8") as file:
        old = os.stat(path) if os.path.exists(path) else None
        os.fchmod(file.fileno(), int(str(mode), 8) if mode else (old.st_mode & 0o7777 if old else 0o644))
        if old:
            os.fchown(file.fileno(), old.st_uid, old.st_gid)
        file.write(new)
        file.flush()
        os.fsync(file.fileno())
    place(part, path)


def place(part: str, path: str) -> None:
    """Puts a new file in its place; a mount point cannot be replaced, only written."""
    try:
        os.replace(part, path)
    except OSError:
        with open(part, "rb") as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target)
        os.unlink(part)
    sync(os.path.dirname(path))


def sync(folder: str) -> None:
    """Has a folder's entries on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: str) -> str | None:
    """The text of a file, or None where there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return None


def text(path: str) -> str:
    """The text of a file, empty where there is none."""
    return read(path) or ""


def put(path: str, said: str) -> None:
    """Writes a small file, for the owner alone."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(said)
        os.fsync(file.fileno())


def digest(path: str) -> str:
    """A digest of what is in a file, or a word for that there is none."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return "absent"


def state(copy: str, path: str) -> str:
    """`changed`: the file is as it was changed; `was`: nothing is kept; `other`: it was changed again since."""
    if not (os.path.exists(copy) or os.path.exists(f"{copy}.absent")):
        return "was"
    return "changed" if digest(path) == text(f"{copy}.after") else "other"


def main(request: dict[str, object]) -> None:
    """Does what is asked (`do`: change, back or look), and says the state of each file afterwards."""
    name, found = str(request["copy"]), paths(str(request["path"]))
    for path in found:
        if request["do"] == "change":
            change(request, path)
        elif request["do"] == "back":
            back(kept(name, path), path)
    json.dump([state(kept(name, path), path) for path in found], sys.stdout)
