"""The jobs by which a gate tries Slurm, as requests to `plumbline.remote.slurm_jobs`; their names are known to suites.

single     one task says where it ran
array      each task says its number
mpi        processes on several nodes count each other
over       asks for one CPU more than its account may have, and must wait for that reason
too-large  asks for more memory than any node has, and must be refused
stranger   of somebody whom accounting does not know, and must be refused
size-NAME  is only asked about: whether a node has room for what users ask for
"""

from __future__ import annotations

from typing import Any

from plumbline.bed.model import Slurm
from plumbline.remote.slurm_jobs import stuck

LOAD = "plumbline-load"
"""The name of all jobs of a load, by which they are found again."""
_STRANGER = "nobody"
_TOO_LARGE_MB = 1 << 30
_MB = "32"
_UNDER_WAY = frozenset({"PENDING", "RUNNING", "COMPLETING", "CONFIGURING"})
_MPI = """\
python3 -c '
from mpi4py import MPI
world = MPI.COMM_WORLD
found = world.allgather(f"{world.rank} of {world.size} on {MPI.Get_processor_name()}")
print("\\n".join(found) if world.rank == 0 else "", end="")
'"""

Object = dict[str, Any]


def request(slurm: Slurm, limit: float) -> Object:
    """All of them; `limit` is in seconds, for all together."""
    assert slurm.jobs is not None
    return {
        "user": slurm.jobs.user,
        "folder": f"{slurm.base}/jobs",
        "limit": limit,
        "accounting": slurm.accounting is not None,
        "jobs": [*_ending(slurm), *_hindered(slurm), *_sizes(slurm)],
    }


def names(slurm: Slurm) -> list[str]:
    """The jobs that must end well."""
    return [job["name"] for job in _ending(slurm)]


def hindered(slurm: Slurm) -> list[str]:
    """The jobs that must be refused, or must wait."""
    return [job["name"] for job in _hindered(slurm)]


def late(job: Object) -> bool:
    """Whether a job was still under way, without a reason that would be a finding."""
    if job["wanted"] != "end" or not job["id"]:
        return False
    return not job["tasks"] or any(t["state"] in _UNDER_WAY and not stuck(t) for t in job["tasks"])


def _ending(slurm: Slurm) -> list[Object]:
    assert slurm.jobs is not None
    made = [
        _job(slurm, "single", 'echo "$SLURM_JOB_ID@$SLURMD_NODENAME"', "--ntasks=1"),
        _job(slurm, "array", 'echo "task $SLURM_ARRAY_TASK_ID"', f"--array=1-{slurm.jobs.array}", "--ntasks=1"),
    ]
    if slurm.jobs.mpi:
        mpi = slurm.jobs.mpi
        script = f"module load {mpi.module}\nmpirun {_MPI}"
        made.append(_job(slurm, "mpi", script, f"--nodes={mpi.nodes}", f"--ntasks={mpi.tasks}"))
    return made


def _hindered(slurm: Slurm) -> list[Object]:
    assert slurm.jobs is not None
    made = [_job(slurm, "too-large", "true", f"--mem={_TOO_LARGE_MB}", wanted="refused")]
    if slurm.accounting:
        made.append({**_job(slurm, "stranger", "true", wanted="refused"), "user": _STRANGER})
    if slurm.jobs.most_cpus:
        made.append(_job(slurm, "over", "true", f"--ntasks={slurm.jobs.most_cpus + 1}", wanted="wait"))
    return made


def _sizes(slurm: Slurm) -> list[Object]:
    return [
        _job(
            slurm, f"size-{name}", "true", f"--nodes={size.nodes}", "--ntasks-per-node=1",
            f"--cpus-per-task={size.cpus}", f"--mem={size.memory}", wanted="fit",
        )
        for name, size in slurm.sizes.items()
    ]  # fmt: skip


def submitting(slurm: Slurm, at_once: int) -> Object:
    """A request to `plumbline.remote.slurm_submit`: the smallest jobs there are, so many handed in at once."""
    assert slurm.jobs is not None
    small = ["--ntasks=1", f"--mem-per-cpu={_MB}", "--output=/dev/null", *_charged(slurm)]
    return {"user": slurm.jobs.user, "name": LOAD, "arguments": small, "at_once": at_once}


def _charged(slurm: Slurm) -> list[str]:
    assert slurm.jobs is not None
    return ["--time=1", *([f"--account={slurm.jobs.account}"] if slurm.jobs.account else [])]


def _job(slurm: Slurm, name: str, script: str, *arguments: str, wanted: str = "end") -> Object:
    room = [] if any(a.startswith("--mem") for a in arguments) else [f"--mem-per-cpu={_MB}"]
    return {"name": name, "script": script, "arguments": [*_charged(slurm), *room, *arguments], "wanted": wanted}
