"""slurm.accounting, slurm.association, slurm.limit: what Slurm's accounting knows, asked from where a gate asks it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from pydantic import Field

from chaos.actions.slurm import ask, declared_in
from chaos.call import ActionFailed, Arguments, Call, Looking, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

_NO_LIMIT = -1
_JOBS_END = 20.0
_PAUSE = 0.5


@action("slurm.accounting")
class AccountingReady(Looking):
    """Whether accounting answers, and is in touch with the controller or not."""

    connected: bool = True

    def holds(self, bed: Bed, reach: Reach) -> bool:
        done = reach.ask(
            declared_in(bed).submit,
            ["timeout", "5", "sacctmgr", "-n", "-P", "show", "cluster", "format=Cluster,ControlHost"],
        )
        rows = dict(line.partition("|")[::2] for line in done.out.splitlines())
        return done.code == 0 and bool(rows.get(declared_in(bed).cluster)) is self.connected


class _Accounting(Arguments):
    """What accounting knows of users and accounts."""

    def _rows(self, bed: Bed, reach: Reach, *columns: str) -> list[list[str]]:
        form = f"format={','.join(('Cluster', *columns))}"
        told = ask(bed, reach, "sacctmgr", "-n", "-P", "show", "associations", form)
        rows = [line.split("|") for line in told.splitlines()]
        return [row[1:] for row in rows if row[0] == declared_in(bed).cluster]


@action("slurm.association")
class Association(_Accounting):
    """Whether a user may submit jobs on an account; jobs that go on there are ended before it goes."""

    user: str = Field(pattern="^[a-z][a-z0-9-]*$")
    account: str = Field(pattern="^[a-z][a-z0-9-]*$")
    present: bool = True

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        was = {"user": self.user, "account": self.account, "present": self._there(bed, reach)}
        return [Call("slurm.association", was)]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if self._there(bed, reach) is self.present:
            return
        where = [f"account={self.account}", f"cluster={declared_in(bed).cluster}"]
        if self.present:
            ask(bed, reach, "sacctmgr", "-i", "add", "user", self.user, *where)
            return
        ask(bed, reach, "scancel", f"--user={self.user}", f"--account={self.account}")
        deadline = time.monotonic() + _JOBS_END
        delete = ["sacctmgr", "-i", "delete", "user", f"name={self.user}", *where]
        while (
            done := reach.ask(declared_in(bed).submit, delete)
        ).code != 0:  # accounting keeps a user whose jobs go on
            if time.monotonic() > deadline:
                raise ActionFailed((done.err or done.out).strip(), place=self.user)
            time.sleep(_PAUSE)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return self._there(bed, reach) is self.present

    def _there(self, bed: Bed, reach: Reach) -> bool:
        return [self.account, self.user] in self._rows(bed, reach, "Account", "User")


@action("slurm.limit")
class Limit(_Accounting):
    """The most CPUs that a job of an account may have; -1: no limit."""

    account: str = Field(pattern="^[a-z][a-z0-9-]*$")
    cpus: int = Field(ge=_NO_LIMIT)

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("slurm.limit", {"account": self.account, "cpus": self._now(bed, reach)})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if self._now(bed, reach) != self.cpus:
            where = ["where", f"name={self.account}", f"cluster={declared_in(bed).cluster}"]
            ask(bed, reach, "sacctmgr", "-i", "modify", "account", *where, "set", f"MaxTRESPerJob=cpu={self.cpus}")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return self._now(bed, reach) == self.cpus

    def _now(self, bed: Bed, reach: Reach) -> int:
        for account, user, limits in self._rows(bed, reach, "Account", "User", "MaxTRESPerJob"):
            if account == self.account and not user:
                found = re.search(r"cpu=(\d+)", limits)
                return int(found[1]) if found else _NO_LIMIT
        raise ActionFailed("accounting knows no such account", place=self.account)
