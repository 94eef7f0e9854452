"""`ssh`: a login on another node as this node's user would make it, and by which certificates it was made.

args: host, user=root, plain=False (with a key of the moment, which nobody has signed, and no configuration).
facts: authenticated, host_certificate and user_certificate (whether each side was known by a certificate).
Outcomes: ok where the login was made, refused where either side did not accept the other.
"""

from __future__ import annotations

import os
import subprocess
import tempfile

from plumbline.remote.types import ERROR, OK, REFUSED, TIMEOUT, UNREACHABLE, Answer, Json, Probe

_REFUSALS = ("Permission denied", "Host key verification failed", "Too many authentication failures")
_NOISE = ("debug1:", "OpenSSH_", "Authenticated to", "Transferred:", "Bytes per second:")


def probe(probe: Probe) -> Answer:
    """Logs in, runs `true`, and reads what the client says of it."""
    options = {
        "BatchMode": "yes", "ConnectTimeout": str(max(1, int(probe.timeout))), "ControlMaster": "no",
        "ControlPath": "none", "LogLevel": "DEBUG1", "PreferredAuthentications": "publickey",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        command = ["ssh", "-T", "-v"]
        if probe.args.get("plain"):
            key = os.path.join(folder, "key")
            _ask(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], probe.timeout)
            command += ["-F", "none", "-o", "StrictHostKeyChecking=yes"]
            options |= {"IdentityFile": key, "IdentitiesOnly": "yes"}
        for name, value in options.items():
            command += ["-o", f"{name}={value}"]
        user = probe.args.get("user", "root")
        try:
            done = _ask([*command, "--", f"{user}@{probe.args['host']}", "true"], probe.timeout)
        except subprocess.TimeoutExpired:
            return Answer(TIMEOUT, f"no login within {probe.timeout:g} s")
        except OSError as error:
            return Answer(ERROR, f"ssh: {error.strerror}")
    said = done.stderr
    facts: Json = {
        "authenticated": "Authenticated to " in said,
        "host_certificate": " host certificate." in said,
        "user_certificate": any("Server accepts key:" in line and "-CERT " in line for line in said.splitlines()),
    }
    if facts["authenticated"]:
        return Answer(OK, None, facts)
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(_NOISE)]
    why = " ".join(lines[-2:])[-200:] or f"exit code {done.returncode}"
    if any(words in said for words in _REFUSALS):
        return Answer(REFUSED, why, facts)
    return Answer(TIMEOUT if "timed out" in said else UNREACHABLE, why, facts)


def _ask(command: list[str], limit: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=limit, check=False
    )
