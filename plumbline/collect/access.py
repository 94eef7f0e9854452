"""How a bed is reached: a lab's own word for it, or what the bed file says of real hardware."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline import namespace, places
from plumbline.bed import Bed, BedError
from plumbline.bed.secrets import resolve, resolve_path
from plumbline.outcome import BedUnreachable


@dataclass(frozen=True)
class Access:
    """Where to stand and what to use. `netns` is empty where the bed is reached from this machine as it is."""

    netns: str = ""
    ssh_config: Path | None = None
    known_hosts: Path | None = None
    user: str = ""
    sudo: bool = False
    kubeconfig: Path | None = None
    context: str | None = None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Credentials that are declared and cannot be read, and why; never anything of what they hold."""

    @classmethod
    def of(cls, bed: Bed, file: Path | None = None) -> Access:
        """The access to a bed; a lab's is read from `file`, or from where the lab keeps it.

        BedUnreachable where a lab is not up: outside of its namespace its addresses may be somebody else's.
        """
        if bed.realised_by == "lab":
            return cls._of_lab(file or places.runtime(bed.bed) / "access.json")
        declared, beside = bed.access, bed.path
        credentials, lacking = _read(declared.credentials, lambda value: resolve(value, beside))
        return cls(
            ssh_config=resolve_path(declared.ssh.config, beside) if declared.ssh.config else None,
            known_hosts=resolve_path(declared.ssh.known_hosts, beside) if declared.ssh.known_hosts else None,
            user=declared.ssh.user if "user" in declared.ssh.model_fields_set or not declared.ssh.config else "",
            sudo=declared.ssh.sudo,
            kubeconfig=resolve_path(declared.kubeconfig, beside) if declared.kubeconfig else None,
            context=resolve(declared.context, beside) if declared.context else None,
            credentials=credentials,
            lacking=lacking,
        )

    @classmethod
    def _of_lab(cls, file: Path) -> Access:
        try:
            told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            credentials, lacking = _read(
                told.get("credentials", {}), lambda path: Path(path).read_text("utf-8").strip()
            )
            access = cls(
                netns=str(told["netns"]),
                ssh_config=Path(told["ssh_config"]),
                kubeconfig=Path(told["kubeconfig"]) if "kubeconfig" in told else None,
                credentials=credentials,
                lacking=lacking,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BedUnreachable(
                f"the lab does not say how it is reached: {error!r}", remedy="python -m lab up"
            ) from None
        if not namespace.path_of(access.netns).exists():
            raise BedUnreachable(
                f"the runner's network namespace {access.netns} does not exist", remedy="python -m lab up"
            )
        return access

    def without(self, name: str) -> str:
        """Where a credential that is not there should come from, and why it does not, where that is known."""
        why = self.lacking.get(name)
        return f"access.credentials.{name}: {why}" if why else f"access.credentials.{name} in the bed file"

    def require_inside(self, bed: Bed) -> None:
        """BedUnreachable unless this thread stands where the bed's addresses are the bed's."""
        if bed.realised_by == "hardware":
            return
        if not self.netns:
            raise BedUnreachable("a lab is only reached from its own network namespace", remedy="python -m lab up")
        there = namespace.path_of(self.netns).exists()
        if not (there and namespace.inside(self.netns)):
            raise BedUnreachable(
                f"this process is not in the network namespace {self.netns}: nothing was sent",
                remedy="python -m plumbline.collect enters it by itself",
            )


def _read(declared: Mapping[str, str], read: Callable[[str], str]) -> tuple[dict[str, str], dict[str, str]]:
    """The credentials that can be read; and why not, for the others, which hinder nobody but who needs them."""
    found, lacking = dict[str, str](), dict[str, str]()
    for name, value in declared.items():
        try:
            found[name] = read(value)
        except BedError as error:
            lacking[name] = ", ".join(filter(None, (error.problems[0].found, error.problems[0].hint)))
        except OSError as error:
            lacking[name] = f"{value}: {error.strerror}"
        except UnicodeDecodeError:
            lacking[name] = f"{value}: the file is not text"
    return found, lacking
