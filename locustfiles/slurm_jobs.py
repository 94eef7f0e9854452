"""Jobs handed in to Slurm each second (seed 001): the smallest there are, by the gate's user, from the node of users.

    locust -f locustfiles/slurm_jobs.py --headless --bed inventories/lab.yaml --target slurm-submits

A submit counts when sbatch has answered with an id; its time is that of the program sbatch on that node, and of the
way there and back over a connection that is open. All jobs are cancelled and gone at the end.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gevent.lock import Semaphore
from locust import events, task

from locustfiles.calls import CallUser
from locustfiles.failed import CallFailed
from locustfiles.slurm_session import CLEARED, SlurmSession
from locustfiles.target import Run, Shape
from plumbline.bed.throughput import SLURM
from plumbline.collect import slurm_jobs
from plumbline.collect.access import Access
from plumbline.collect.ssh import Login, Ssh, connections, control_folder

run = Run("slurm_jobs", to=(SLURM,))
_log = logging.getLogger(__name__)


class Submitting:
    """The session of this process: opened with its first job, and anew where it was lost."""

    def __init__(self) -> None:
        self._stack, self._opening = ExitStack(), Semaphore()
        self._ssh: Ssh | None = None
        self._session: SlurmSession | None = None

    def submit(self) -> None:
        """One job; CallFailed where Slurm gives it no id."""
        with self._opening:
            if self._session is None or self._session.lost:
                self._session = self._open()
        self._session.submit(run.target.timeout.total_seconds())

    def end(self) -> str:
        """All jobs are gone when this returns; or why that is not known. A lost session is opened once more for it."""
        if self._session is None:
            return ""
        with self._stack:
            try:
                return self._session.end() and self._open().end()
            except CallFailed as error:
                return str(error)

    def _open(self) -> SlurmSession:
        slurm, access = run.bed.slurm, Access.of(run.bed)
        assert slurm is not None, "see plumbline.bed.asked"
        if self._ssh is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="plumbline-load-")))
            connected = connections(access, control_folder(folder, [slurm.submit]))
            self._ssh = self._stack.enter_context(connected)
        request = slurm_jobs.submitting(slurm, run.target.users)
        seconds = run.target.time.total_seconds() + 2 * CLEARED
        return SlurmSession(self._ssh, Login.of(run.bed, access, slurm.submit), request, seconds)


submitting = Submitting()


@run.user
class Submitter(CallUser):
    """A user of Slurm, who hands in a job and has to wait for its id."""

    @task
    def job(self) -> None:
        """One job."""
        self.call("submit", "SBATCH", submitting.submit)


@events.quit.add_listener
def clean(**_: Any) -> None:
    """No job is submitted any more, and those that were are cleared away."""
    if why := submitting.end():
        _log.error("jobs named %s may be left: %s", slurm_jobs.LOAD, why)


class TargetShape(Shape):
    """As the target says."""

    run = run
