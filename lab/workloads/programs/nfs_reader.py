"""Keeps a folder like an NFS export: reads what the cloner wrote there, with libnfs instead of a mount."""

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

EVERY, FIRST, LIMIT = 60.0, 5.0, 20.0
HERE = Path("/srv/cloned")


def read(name: str) -> bytes:
    """A file of the export. Raises OSError where it cannot be read."""
    url = f"{os.environ['EXPORT']}/{name}?version=4&nfsport={os.environ['NFS_PORT']}"
    done = subprocess.run(["nfs-cat", url], capture_output=True, timeout=LIMIT, check=False)
    if done.returncode != 0:
        raise OSError(f"{name}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def unpack(archive: bytes, folder: Path) -> None:
    """The plain files of an archive; a name that leads out of the folder is refused."""
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            target = folder / member.name
            if not member.isfile() or ".." in target.parts or not target.is_relative_to(folder):
                raise OSError(f"{member.name} is no plain file of a site")
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            target.write_bytes(content.read() if content else b"")


def refresh() -> None:
    """Unpack the sites that have changed; each replaces its former state in one step."""
    for site, digest in json.loads(read("index.json")).items():
        mark = HERE / f".{site}"
        if mark.exists() and mark.read_text() == digest:
            continue
        fresh = HERE / f".{site}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        unpack(read(f"{site}.{digest}.tar"), fresh)
        shutil.rmtree(HERE / site, ignore_errors=True)
        fresh.rename(HERE / site)
        mark.write_text(digest)
        print(f"{site}: {digest}", flush=True)


if __name__ == "__main__":
    said, there = "", False
    while True:
        try:
            refresh()
            said, there = "", True
        except (OSError, ValueError, subprocess.SubprocessError, tarfile.TarError) as error:
            if str(error) != said:
                print(error, flush=True)
            said = str(error)
        time.sleep(EVERY if there else FIRST)
