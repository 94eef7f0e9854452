"""The power of a node: the lab's own switch; on hardware what the bed file says, Redfish, commands, or its own shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from chaos.call import ActionFailed
from plumbline.bed import Bed
from plumbline.bed.machines import PowerByCommand, PowerByRedfish

if TYPE_CHECKING:
    from requests import Session

    from chaos.reach import Reach

_LIMIT = 60.0
_ANSWER = 10.0
_ROOT = Path(__file__).resolve().parent.parent
_OFF_AND_ON = {True: "On", False: "ForceOff"}


class Supply(Protocol):
    """What gives a node its power. `means` says how, for whoever reads a dry run."""

    means: str

    def on(self) -> bool:
        """Whether it has power. ActionFailed where nobody can tell."""
        ...

    def switch(self, on: bool) -> None:
        """Gives it power, or takes it away at once. ActionFailed where that is refused."""
        ...


def supply(bed: Bed, reach: Reach | None, node: str) -> Supply:
    """How a node is powered. ActionFailed where the bed file does not say. `reach` is only needed to switch."""
    if bed.realised_by == "lab":
        return Lab(bed, node)
    declared = bed.nodes[node].power
    if declared is None:
        remedy = f"{bed.where(f'nodes.{node}')}: power: {{redfish: …}}, {{command: …}} or {{ssh: true}}"
        raise ActionFailed("the bed file does not say how its power is switched", place=node, remedy=remedy)
    if declared.redfish:
        return Redfish(declared.redfish, node, reach)
    if declared.command:
        return Commands(declared.command, node)
    return Shell(node, reach)


class Lab:
    """A node of a lab: every process of it ends at once, its disk stays."""

    def __init__(self, bed: Bed, node: str) -> None:
        self._command = [sys.executable, "-m", "lab", "power", "--bed", str(bed.path.resolve()), node]
        self.means = f"python -m lab power {node} on|off"

    def on(self) -> bool:
        return _said(self._command, "power of a lab's node").strip() == "on"

    def switch(self, on: bool) -> None:
        _said([*self._command, "on" if on else "off"], "power of a lab's node")


class Commands:
    """Programs of the runner's machine, as the bed file names them; `state` says `on` or `off`."""

    def __init__(self, declared: PowerByCommand, node: str) -> None:
        self._declared, self._node = declared, node
        self.means = f"{' '.join(declared.off)}, then {' '.join(declared.on)}"

    def on(self) -> bool:
        said = _said(self._declared.state, self._node).strip().lower()
        if said not in ("on", "off"):
            raise ActionFailed(
                f"`{' '.join(self._declared.state)}` said {said[:40]!r}, not on or off", place=self._node
            )
        return said == "on"

    def switch(self, on: bool) -> None:
        _said(self._declared.on if on else self._declared.off, self._node)


class Redfish:
    """A management controller that speaks Redfish (DMTF DSP0266: ComputerSystem.Reset), its certificate verified."""

    def __init__(self, declared: PowerByRedfish, node: str, reach: Reach | None) -> None:
        self._declared, self._node, self._reach = declared, node, reach
        self.means = f"POST {declared.system}/Actions/ComputerSystem.Reset, ForceOff, then On"

    def on(self) -> bool:
        with self._session() as session:
            said = self._answer(session, "GET", self._declared.system, None)
        return said.get("PowerState") in ("On", "PoweringOn")

    def switch(self, on: bool) -> None:
        with self._session() as session:
            system = self._answer(session, "GET", self._declared.system, None)
            actions = system.get("Actions")
            reset = actions.get("#ComputerSystem.Reset") if isinstance(actions, dict) else None
            target = str(reset.get("target", "")) if isinstance(reset, dict) else ""
            parts = urlsplit(self._declared.system)
            url = f"{parts.scheme}://{parts.netloc}{target or f'{parts.path}/Actions/ComputerSystem.Reset'}"
            self._answer(session, "POST", url, {"ResetType": _OFF_AND_ON[on]})

    def _session(self) -> Session:
        import requests

        name = self._declared.credential
        shown = self._reach.access.credentials.get(name, "") if self._reach else ""
        user, colon, password = shown.partition(":")
        if not colon:
            why = self._reach.access.without(name) if self._reach else name
            raise ActionFailed("there is no user:password for its controller", place=self._node, remedy=why)
        session = requests.Session()
        session.trust_env = False
        session.auth = (user, password)
        session.verify = str(self._declared.ca) if self._declared.ca else True
        return session

    def _answer(self, session: Session, method: str, url: str, body: dict[str, str] | None) -> dict[str, object]:
        from requests import RequestException

        try:
            said = session.request(method, url, json=body, timeout=_ANSWER, allow_redirects=False)
        except RequestException as error:
            raise ActionFailed(f"{method} {url}: {type(error).__name__}", place=self._node) from None
        if said.status_code >= 300:
            raise ActionFailed(f"{method} {url}: status {said.status_code}", place=self._node)
        try:
            found = said.json() if said.content else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ActionFailed(f"{method} {url}: its answer is no JSON object", place=self._node)
        return found


class Shell:
    """A node without any such thing: it ends at once by its own hand, without writing anything, and boots again."""

    def __init__(self, node: str, reach: Reach | None) -> None:
        self._node, self._reach = node, reach
        self.means = "systemctl reboot --force --force, over SSH: it comes back by itself"

    def on(self) -> bool:
        try:  # one that lets nobody log in is off, as far as its own shell can tell
            return self._way.ask(self._node, ["true"]).code == 0
        except ActionFailed:
            return False

    def switch(self, on: bool) -> None:
        if not on:  # by a unit of its own, so that the connection may end before it does
            reboot = ["systemd-run", "--quiet", "--on-active=1s", "systemctl", "reboot", "--force", "--force"]
            self._way.run(self._node, reboot)

    @property
    def _way(self) -> Reach:
        if self._reach is None:
            raise ActionFailed("it is only reached while an experiment runs", place=self._node)
        return self._reach


def _said(command: tuple[str, ...] | list[str], place: str) -> str:
    try:
        done = subprocess.run(
            command, cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ActionFailed(f"`{command[0]}` did not end within {_LIMIT:.0f} s", place=place) from None
    except OSError as error:
        raise ActionFailed(f"`{command[0]}`: {error.strerror}", place=place) from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-200:]
        raise ActionFailed(f"`{command[0]}` ended with {done.returncode}: {said}", place=place)
    return done.stdout
