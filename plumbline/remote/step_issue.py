"""`step`: asks step-ca for a certificate by a provisioner and its password, and throws it away.

args: program, folder (STEPPATH), provisioner, password (path), name, seconds (the lifetime).
facts: pem (the certificate, where one was issued).
Outcomes: ok, refused where the authority said no, unreachable where it did not answer, error where it was not asked.
"""

from __future__ import annotations

import os
import subprocess
import tempfile

from plumbline.remote.types import ERROR, OK, REFUSED, TIMEOUT, UNREACHABLE, Answer, Probe

_AWAY = ("connection refused", "no route to host", "i/o timeout", "client.timeout", "network is unreachable")
_REFUSALS = ("duration", "unauthorized", "forbidden", "request", "provisioner", "invalid password")


def probe(probe: Probe) -> Answer:
    """Asks once."""
    args = probe.args
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("certificate", "key")]
        command = [
            args["program"], "ca", "certificate", args["name"], *files, "--force", "--provisioner", args["provisioner"],
            "--provisioner-password-file", args["password"], "--not-after", f"{int(args['seconds'])}s",
        ]  # fmt: skip
        environment = {**os.environ, "STEPPATH": args["folder"]}
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", env=environment,
                timeout=probe.timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Answer(TIMEOUT, f"no certificate within {probe.timeout:g} s")
        except OSError as error:
            return Answer(ERROR, f"{args['program']}: {error.strerror}")
        if done.returncode == 0:
            with open(files[0], encoding="ascii") as file:
                return Answer(OK, None, {"pem": file.read()})
    why = " ".join(done.stderr.split())[-300:]
    if any(words in why.lower() for words in _AWAY):
        return Answer(UNREACHABLE, why)
    return Answer(REFUSED if any(words in why.lower() for words in _REFUSALS) else ERROR, why)
