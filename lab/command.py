"""One way to call a program of the host: a time limit, text in and out, and an error that says what failed."""

import os
import subprocess
from collections.abc import Mapping, Sequence

from lab.errors import LabError

CONFINED = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child")
"""Put before a program that mounts: it ends with its caller, whatever ends that, and all that it left goes with it.

`unshare` hears no SIGTERM while it waits: it is ended by SIGKILL.
"""


def call(
    argv: Sequence[str],
    *,
    input: str | None = None,
    timeout: float = 30,
    check: bool = True,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program of the host and return what it said; `timeout` in seconds, `env` on top of the caller's.

    Raises `LabError` when it is missing or does not end in time, and, with `check`, when it fails.
    """
    environment = {**os.environ, **(env or {})}
    try:
        done = subprocess.run(
            argv,
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**environment, "PATH": f"{environment.get('PATH', '')}:/usr/sbin:/sbin"},
        )
    except FileNotFoundError:
        raise LabError(
            f"{argv[0]} is not installed on this machine", remedy=f"apt-get install the package of {argv[0]}"
        ) from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`{_short(argv)}` did not end within {timeout:.0f} s") from None
    if check and done.returncode != 0:
        detail = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise LabError(f"`{_short(argv)}` failed: {detail}")
    return done


def _short(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return text if len(text) <= 160 else f"{text[:157]}…"
