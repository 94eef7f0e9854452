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
    done = subprocess.run(["nfs-cat", url], capture_output=True, timeout=LIMIT)
    if done.returncode != 0:
        raise OSError(f"{name}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def refresh() -> None:
    """Unpack the sites that have changed; each replaces its former state in one step."""
    for site, digest in json.loads(read("index.json")).items():
        mark = HERE / f".{site}"
        if mark.exists() and mark.read_text() == digest:
            continue
        fresh = HERE / f".{site}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        with tarfile.open(fileobj=io.BytesIO(read(f"{site}.{digest}.tar"))) as tar:
            tar.extractall(fresh, filter="data")
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
