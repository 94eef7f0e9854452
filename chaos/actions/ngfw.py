"""ngfw.authority: the firewall signs with another key than the one that agents were given.

All else that a firewall of a lab can do wrong is in its files: node.file, with `restart: [ngfw]` or `[ngfw-rules]`.
"""

from __future__ import annotations

from typing import ClassVar

from chaos.actions.certificates import authority
from chaos.actions.files import NodeFile
from chaos.actions.place import Place
from chaos.call import ActionFailed, action
from plumbline.bed import Bed

_FILE = "/etc/ngfw/tls/authority.pem"


@action("ngfw.authority")
class NgfwAuthority(NodeFile):
    """A new authority on the firewall, of a name of its own or of the old one."""

    path: str = _FILE
    made: ClassVar[bool] = True
    restart: tuple[str, ...] = ("ngfw",)
    called: str | None = None

    def _content(self, bed: Bed, place: Place, do: str) -> str | None:
        if bed.ngfw is None or bed.realised_by != "lab":
            raise ActionFailed("only a lab's firewall has its key in a file", place=f"bed {bed.bed}")
        if do != "change":
            return None
        made = authority(self.called or bed.ngfw.authority)
        return made.pem + made.key_pem
