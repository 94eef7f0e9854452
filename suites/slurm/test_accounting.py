"""Accounting knows the cluster, and who may submit what."""

from __future__ import annotations

from plumbline.check import check, for_each, found
from plumbline.facts.slurm import SlurmFacts
from suites.slurm import cases


@check(
    "slurm.accounting",
    severity="critical",
    remedy="sacctmgr show cluster; journalctl -u slurmdbd -n 50; is the database up, and does its user have the right?",
    consequence="no job is written down; controllers that start anew do not come up",
    source="seed 001, fact 116 (L6701-6703)",
)
@for_each("cluster", cases.accounting("slurm:accounting"))
def test_accounting_answers(cluster: str, slurm: SlurmFacts) -> None:
    """slurmdbd answers within the budget."""
    assert not slurm.accounting_silence, found(slurm.accounting_silence, expected="an answer in time")


@check(
    "slurm.in-accounting",
    severity="major",
    remedy="systemctl restart slurmctld on the controller, which tells accounting where it is only when it starts; "
    "sacctmgr show cluster; journalctl -u slurmctld | grep -i dbd",
    consequence="accounting tells the controller of no new user or limit; what jobs use may be kept back, and be lost",
    source="seed 001, fact 116 (L6701-6703)",
)
@for_each("cluster", cases.accounting("slurm:cluster-in-accounting"))
def test_the_controller_is_in_touch_with_accounting(cluster: str, slurm: SlurmFacts) -> None:
    """Accounting knows this cluster, and at which address its controller is."""
    known = slurm.clusters

    assert known.get(cluster), found(
        f"{known or 'no cluster'}", expected=f"{cluster} with the address of its controller"
    )


@check(
    "slurm.association",
    severity="critical",
    remedy="sacctmgr add user {name} account=ACCOUNT cluster=CLUSTER",
    consequence="jobs of {name} are refused",
    source="seed 001, S25 (L10240: an account that nobody made)",
)
@for_each("user", cases.associations)
def test_the_user_of_jobs_may_submit(user: tuple[str, str], slurm: SlurmFacts) -> None:
    """Accounting knows the user of jobs, on the declared account."""
    name, account = user
    accounts = sorted(a.account for a in slurm.associations if a.user == name)

    assert account in accounts, found(f"accounts of {name}: {', '.join(accounts) or 'none'}", expected=account)


@check(
    "slurm.limit",
    severity="major",
    remedy="sacctmgr modify account {name} set MaxTRESPerJob=cpu=N",
    consequence="a single job of {name} takes more than its share, or less than it may",
    source="seed 001, S25 (L10625-10642)",
)
@for_each("account", cases.limits)
def test_the_account_has_its_limit(account: tuple[str, str], slurm: SlurmFacts) -> None:
    """The account has the declared limit of CPUs for each job."""
    name, wanted = account
    limits = [a.limits for a in slurm.associations if a.account == name and not a.user]

    assert limits == [wanted], found(", ".join(limits) or "no limit", expected=wanted)
