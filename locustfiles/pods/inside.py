"""Runs a command in the master's pod, and tells on standard output what that has left in a folder.

    python3 -m locustfiles.pods.inside python3 -m locust … --csv out/locust --result out/result.json

Nobody may enter this pod or copy from it: its log is the way out. What ends the pod ends the command in good order.
"""

from __future__ import annotations

import base64
import io
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

from locustfiles.headless import FOLDER

MARK = "plumbline-load: what is left, a tar file in base64"


def main() -> int:
    """The command's own exit code."""
    folder = Path(FOLDER)
    folder.mkdir(exist_ok=True)
    with (folder / "locust.log").open("wb") as log:
        process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))  # as by Ctrl-C
        code = process.wait()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, file.name)
    print(MARK, base64.encodebytes(buffer.getvalue()).decode("ascii"), sep="\n", flush=True)
    return code


def unpack(log: str, folder: Path) -> bool:
    """Puts what a master's log tells at its end into a folder; False where it tells nothing, or not all of it."""
    _, found, told = log.rpartition(f"{MARK}\n")
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(told, validate=False)), mode="r:gz") as tar:
            tar.extractall(folder, filter="data")
    except (ValueError, tarfile.TarError, EOFError, OSError):
        return False
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
