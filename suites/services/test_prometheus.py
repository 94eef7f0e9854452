"""Prometheus scrapes what it must, all of it, and gets answers."""

from __future__ import annotations

from plumbline.bed.model import Workload
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Http
from plumbline.facts.age import just_ready
from plumbline.subjects import Thing
from suites.services import cases


@check(
    "services.targets",
    severity="critical",
    kind="active",
    remedy="kubectl -n monitoring logs deployment/{name} -c prometheus --tail=20; look at its page /targets",
    consequence="the throughput of no persona is known",
    source="seed 000, chapter 12",
)
@for_each("workload", cases.scraper)
def test_prometheus_lists_its_targets(workload: str, facts: Facts) -> None:
    """Prometheus answers with a list of targets that is not empty."""
    page = facts.probe(Http, "prometheus")

    assert page.status == 200, found(f"{page}, status {page.status}", expected="status 200")
    assert facts.scrape_targets, found("no target at all", expected="targets")


@check(
    "services.targets-of-job",
    severity="major",
    kind="active",
    remedy="kubectl -n monitoring get configmap prometheus -o yaml; look at the job {name} on its page /targets",
    consequence="figures are missing from the result, and nobody sees that they are",
    source="seed 000, chapter 12",
)
@for_each("job", cases.jobs)
def test_a_job_has_all_its_targets(job: cases.Job, facts: Facts) -> None:
    """The job has as many targets as declared, and each that has been asked is up."""
    targets = [t for t in facts.scrape_targets if t.job == job.name]
    down = [f"{t.instance}: {t.error}" for t in targets if t.asked and not t.up]

    assert len(targets) == job.targets, found(f"{len(targets)} targets", expected=job.targets)
    assert not down, found("; ".join(down[:3]), expected="all up")


@check(
    "services.persona-scraped",
    severity="major",
    kind="active",
    remedy="kubectl get pods -A -o wide | grep {name}; from Prometheus: curl the pod's address, port 9091",
    consequence="what {name} delivers is not counted",
    source="seed 000, chapters 2 and 12",
)
@for_each("workload", cases.scraped)
def test_each_persona_is_scraped(workload: Thing[Workload], facts: Facts) -> None:
    """There is a target at the pod-network address of the persona's pod, up or so new that it was not asked yet."""
    by_address = {t.instance.rpartition(":")[0]: t for t in facts.scrape_targets}
    for pod in facts.kubernetes.pods(workload.name):
        target = by_address.get(pod.address)
        if target is None and just_ready((pod,)):
            continue

        assert target is not None, found(f"no target at {pod.address}", expected="one that is up")
        assert target.up or not target.asked, found(f"{target.instance}: {target.error}", expected="up")
