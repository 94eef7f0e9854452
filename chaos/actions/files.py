"""node.file and pod.file: a file with other contents, and what reads it started again.

What was in a file stays on its node (/var/lib/plumbline/undo, for root alone) until the undo has put it back.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from chaos.actions.place import GUARD, InPod, OnNode, Place
from chaos.actions.words import filled
from chaos.call import JSON, ActionFailed, Arguments, Call, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

_PROGRAM = Path(__file__).parent.parent / "remote" / "file.py"
_LIMIT = 60.0
_WAY_IN = ("/etc/ssh/", "/root/.ssh/", "/etc/step/certs/ssh_host")


class _File(Arguments):
    """One of content, append, replace (old text: new text), like (a node whose file is copied), or present: false."""

    kind: ClassVar[str]
    made: ClassVar[bool] = False
    """Whether the action makes the content itself."""
    content: str | None = None
    append: str | None = None
    replace: dict[str, str] | None = None
    like: str | None = Field(default=None, description="the node whose file of the same name it is to be")
    present: bool = True
    mode: str | None = Field(default=None, pattern="^0[0-7]{3}$")
    restart: tuple[str, ...] = Field(default=(), description="units of the node that read it, to be started again")
    reload: tuple[str, ...] = Field(default=(), description="units of the node that read it again when they are told")
    undo: str | None = Field(default=None, description="the copy that it is brought back from; undo calls have it")

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        given = [self.content, self.append, self.replace, self.like, self.undo, None if self.present else False]
        if not self.made and sum(part is not None for part in given) != 1:
            raise ValueError("one of content, append, replace, like and present: false is wanted")
        return self

    def places(self, bed: Bed, reach: Reach) -> list[Place]:
        raise NotImplementedError

    def file(self, place: Place) -> str:
        """The path on the node; a pattern where it is not known in full."""
        raise NotImplementedError

    def again(self, place: Place) -> Call:
        """The undo call for a place."""
        raise NotImplementedError

    @property
    def copy_name(self) -> str:
        """Two changes of one file have two copies, so that they come back in their order."""
        own = self.model_dump_json(exclude={"undo"})
        return self.undo or hashlib.blake2b(own.encode(), digest_size=6).hexdigest()

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [self.again(place) for place in self.places(bed, reach)]

    def apply(self, bed: Bed, reach: Reach) -> None:
        for place in self.places(bed, reach):
            guarded = self.file(place).startswith(_WAY_IN)
            if guarded and not self.undo:
                self._guard(place)
            self._ask(bed, place, "back" if self.undo else "change")
            self._start_again(place)
            if guarded and self.undo:
                place.reach.ask(place.node, ["systemctl", "stop", f"{self._timer}.timer"])

    def holds(self, bed: Bed, reach: Reach) -> bool:
        states = [state for place in self.places(bed, reach) for state in self._ask(bed, place, "look")]
        return all(state == ("was" if self.undo else "changed") for state in states) and bool(states or self.undo)

    def _guard(self, place: Place) -> None:
        """Brings the file back by the node itself, after a time: for files of the way in."""
        request = {"do": "back", "path": self.file(place), "copy": self.copy_name}
        again = (
            f"import subprocess; subprocess.run(['systemctl', 'reload-or-restart', *{[*self.restart, *self.reload]!r}])"
        )
        start = ["systemd-run", "--quiet", "--collect", f"--unit={self._timer}", f"--on-active={GUARD}"]
        place.reach.ask(place.node, ["systemctl", "stop", f"{self._timer}.timer"])
        place.reach.run(place.node, [*start, "python3", "-IS", "-c", f"{_program(request)}{again}\n"])

    @property
    def _timer(self) -> str:
        return f"plumbline-guard-{self.copy_name}"

    def _ask(self, bed: Bed, place: Place, do: Literal["change", "back", "look"]) -> list[str]:
        request: dict[str, JSON] = {
            "do": do, "path": self.file(place), "copy": self.copy_name, "present": self.present, "mode": self.mode,
            "content": self._content(bed, place, do), "append": self.append and filled(bed, self.append),
            "replace": {filled(bed, k): filled(bed, v) for k, v in (self.replace or {}).items()},
        }  # fmt: skip
        done = place.reach.ask(place.node, ["python3", "-IS", "-"], input=_program(request), limit=_LIMIT)
        if done.code != 0:
            said = done.err.strip().splitlines()[-1:] or [f"exit code {done.code}"]
            raise ActionFailed(f"{self.file(place)}: {said[0][-300:]}", place=place.node)
        return [str(state) for state in json.loads(done.out)]

    def _content(self, bed: Bed, place: Place, do: str) -> str | None:
        if self.like and do == "change":
            return place.reach.run(self.like, ["cat", self.file(place)])
        return filled(bed, self.content) if self.content is not None else None

    def _start_again(self, place: Place) -> None:
        if not (self.restart or self.reload):
            return
        script = "systemctl daemon-reload"
        units = " ".join((*self.restart,))
        script += f" && systemctl restart {units}" if units else ""
        script += f" && systemctl reload-or-restart {' '.join(self.reload)}" if self.reload else ""
        place.reach.run(place.node, ["sh", "-c", script], limit=_LIMIT)


@action("node.file")
class NodeFile(OnNode, _File):
    """A file of a node."""

    path: str = Field(pattern="^/[^*]+$")

    def file(self, place: Place) -> str:
        return self.path

    def again(self, place: Place) -> Call:
        then: dict[str, JSON] = {"restart": list(self.restart), "reload": list(self.reload)}
        return Call("node.file", {"node": self.node, "path": self.path, "undo": self.copy_name, **_given(then)})


@action("pod.file")
class PodFile(InPod, _File):
    """A file that lies in a volume of pods (a Secret, a ConfigMap), as the kubelet wrote it; what is in it is named."""

    volume: str
    file_name: str = Field(pattern=r"^[^/*][^*]*$", description="below the volume")

    def file(self, place: Place) -> str:
        return f"/var/lib/kubelet/pods/{place.uid}/volumes/*/{self.volume}/{self.file_name}"

    def again(self, place: Place) -> Call:
        named = {"volume": self.volume, "file_name": self.file_name, "undo": self.copy_name}
        return Call("pod.file", {**place.arguments, **named})


def _program(request: dict[str, JSON]) -> str:
    return f"{_PROGRAM.read_text(encoding='utf-8')}\nmain(json.loads({json.dumps(json.dumps(request))}))\n"


def _given(arguments: dict[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in arguments.items() if value}
