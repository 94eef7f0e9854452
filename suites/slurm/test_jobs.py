"""Jobs, which a gate submits all together: they end well and say the right thing, or are hindered for the right reason."""

from __future__ import annotations

import re

from plumbline.bed.model import Slurm
from plumbline.check import check, for_each, found
from plumbline.facts.slurm import Job, SlurmFacts
from plumbline.outcome import Unknown
from suites.slurm import cases

_BUSY = frozenset({"Resources", "Priority"})
_TOO_LARGE = re.compile("can not be satisfied|configuration is not available", re.I)
_NO_ACCOUNT = re.compile("invalid account", re.I)


@check(
    "slurm.job",
    severity="critical",
    kind="active",
    remedy="as the user of jobs: sbatch --wrap hostname; squeue; scontrol show job; journalctl -u slurmctld -u slurmd",
    consequence="nobody's jobs of this kind come to their end",
    source="seed 001, facts 119-121 (L6754-6894, L6731-6733)",
)
@for_each("name", cases.jobs("slurm-job"))
def test_a_job_ends_well(name: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """The job, and each task of an array, ends COMPLETED in time."""
    job = slurm.job(name)
    if "PENDING" in job.states and _BUSY & set(job.reasons):
        raise Unknown(f"the cluster had no room for it in time: {job}", cause="")

    assert not job.error, found(job, expected="a job that is taken")
    assert set(job.states) == {"COMPLETED"}, found(job, expected="COMPLETED")


@check(
    "slurm.job-output",
    severity="critical",
    kind="active",
    remedy="on the compute nodes: touch a file in the shared folder, and look for it elsewhere; run the job by hand",
    consequence="jobs are called completed and have not done their work, or their output is lost",
    source="seed 001, facts 119-121 (L6754-6894, L6731-6733)",
)
@for_each("name", cases.jobs("slurm-output"))
def test_a_job_says_the_right_thing(name: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """Its output, read where it was submitted, is what only that work could say."""
    job = slurm.job(name)
    if set(job.states) != {"COMPLETED"}:
        raise Unknown(f"it did not come to its end: {job}", cause=f"slurm-job:{name}")
    wrong, wanted = _wrong(job, declared)

    assert not wrong, found(f"{wrong}; output: {' | '.join(job.output.split())[:200] or 'none'}", expected=wanted)


def _wrong(job: Job, declared: Slurm) -> tuple[str, str]:
    """What is wrong with an output, or empty; and what was wanted."""
    assert declared.jobs is not None
    lines = [line.strip() for line in job.output.splitlines() if line.strip()]
    if job.name == "single":
        number, _, node = lines[0].partition("@") if len(lines) == 1 else ("", "", "")
        return "" if number == job.id and node in declared.compute else "another line", f"{job.id}@ a compute node"
    if job.name == "array":
        wanted = [f"task {n}" for n in range(1, declared.jobs.array + 1)]
        return "" if sorted(lines) == sorted(wanted) else f"{len(lines)} lines", ", ".join(wanted)
    assert declared.jobs.mpi is not None
    mpi = declared.jobs.mpi
    told = [match for line in lines if (match := re.fullmatch(r"(\d+) of (\d+) on (\S+)", line))]
    ranks, hosts = {int(m[1]) for m in told}, {m[3].partition(".")[0] for m in told}
    right = ranks == set(range(mpi.tasks)) and {int(m[2]) for m in told} == {mpi.tasks} and len(hosts) == mpi.nodes
    return (
        "" if right else f"{len(ranks)} ranks on {len(hosts)} nodes",
        f"{mpi.tasks} ranks of one world, on {mpi.nodes} nodes",
    )


@check(
    "slurm.job-recorded",
    severity="major",
    kind="active",
    remedy="sacct -X -S now-1hour; sacctmgr show cluster; journalctl -u slurmdbd -n 50; the agent queue: sdiag",
    consequence="nobody knows afterwards who used what; limits and shares are counted wrongly",
    source="seed 001, facts 116 and 120 (L6701-6703, L6864-6894)",
)
@for_each("name", cases.jobs("slurm-record"))
def test_a_job_is_written_down(name: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """Accounting says of each of its tasks that it completed, with exit code 0, on the right account."""
    job = slurm.job(name)
    if set(job.states) != {"COMPLETED"}:
        raise Unknown(f"it did not come to its end: {job}", cause=f"slurm-job:{name}")
    if job.unrecorded:
        raise Unknown(f"accounting does not tell: {job.unrecorded}", cause="slurm:accounting")
    account = declared.jobs.account if declared.jobs else None
    told = [f"{r['state']}, exit {r['exit']}, account {r['account']}" for r in job.records]
    right = f"COMPLETED, exit 0, account {account or (job.records[0]['account'] if job.records else '')}"

    assert told == [right] * len(job.states), found(
        f"{len(told)} records of {len(job.states)}: {'; '.join(dict.fromkeys(told)) or 'none'}", expected=right
    )


@check(
    "slurm.job-waits",
    severity="major",
    kind="active",
    remedy="sacctmgr show associations; AccountingStorageEnforce in slurm.conf must have limits",
    consequence="one user's job takes the whole cluster, or a job waits and does not say for what",
    source="seed 001, S25 (L10625-10642)",
)
@for_each("name", cases.hindered("over"))
def test_a_job_that_asks_too_much_waits_for_the_right_reason(name: str, slurm: SlurmFacts) -> None:
    """A job with one CPU more than its account may have stays PENDING, and says that this is why."""
    job = slurm.job(name)

    assert job.states == ("PENDING",), found(job, expected="PENDING")
    assert "MaxCpuPerJob" in job.reasons[0], found(job, expected="PENDING (AssocMaxCpuPerJobLimit)")


@check(
    "slurm.too-large-refused",
    severity="major",
    kind="active",
    remedy="scontrol show config | grep -i -E 'select|enforce'; SelectTypeParameters must count memory",
    consequence="jobs that can never start wait for ever, and users with them",
    source="seed 001, S25 (L10625-10642)",
)
@for_each("name", cases.hindered("too-large"))
def test_a_job_that_fits_no_node_is_refused(name: str, slurm: SlurmFacts) -> None:
    """A job that asks for more memory than any node has is refused, for that reason."""
    job = slurm.job(name)
    if job.error and _NO_ACCOUNT.search(job.error):
        raise Unknown(f"it was refused before its size was looked at: {job}", cause="slurm:jobs")

    assert _TOO_LARGE.search(job.error), found(job, expected="refused: its memory can not be satisfied")


@check(
    "slurm.stranger-refused",
    severity="major",
    kind="active",
    remedy="AccountingStorageEnforce=associations,limits,qos in slurm.conf; restart slurmctld",
    consequence="anybody with a login uses the cluster, and nobody is charged",
    source="seed 001, S25 (L10240: an account that nobody made)",
)
@for_each("name", cases.hindered("stranger"))
def test_a_stranger_cannot_submit(name: str, slurm: SlurmFacts) -> None:
    """Somebody whom accounting does not know is refused, for that reason."""
    job = slurm.job(name)

    assert _NO_ACCOUNT.search(job.error), found(job, expected="refused: invalid account")


@check(
    "slurm.size-fits",
    severity="major",
    kind="active",
    remedy="sbatch --test-only with the same size; RealMemory and CPUs of the nodes, or the size, must change",
    consequence="jobs of the size {name} never start",
    source="seed 001, S25 (L10625-10642)",
)
@for_each("name", cases.sizes)
def test_some_node_has_room_for_each_size(name: str, slurm: SlurmFacts) -> None:
    """Slurm would start a job of this size."""
    job = slurm.job(f"size-{name}")

    assert not job.error, found(job, expected="a node that has room for it")
