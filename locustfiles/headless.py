"""How Locust is called where nobody looks on: by `python -m locustfiles`, and in pods."""

from __future__ import annotations

FOLDER = "out"
"""Where Locust leaves what it tells, in a pod."""


def command(python: str, profile: str, bed: str, target: str, ca: str) -> list[str]:
    """Locust on the file of a profile and a target of a bed; `ca` is a file, or empty where no user asks over TLS."""
    words = [python, "-m", "locust", "-f", profile, "--headless", "--only-summary"]
    return [*words, "--exit-code-on-error", "0", "--bed", bed, "--target", target, *(["--ca", ca] if ca else [])]


def files(folder: str) -> list[str]:
    """What a run leaves in a folder."""
    return ["--csv", f"{folder}/locust", "--html", f"{folder}/locust.html", "--result", f"{folder}/result.json"]
