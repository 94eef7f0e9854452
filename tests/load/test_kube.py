"""Objects of Kubernetes as load: what counts as which stage, what is made and removed, as whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from locustfiles import rights
from locustfiles.declared import Refused
from locustfiles.engine.request import Settings
from locustfiles.kube.api import Api, ApiError
from locustfiles.kube.fleet import Fleet
from locustfiles.kube.journal import NOT_FULFILLED, NOT_SCHEDULED, Attachment, Journal
from locustfiles.kube.objects import AGENTS, agent, attachment
from locustfiles.kube.watching import Watch
from locustfiles.origins import origins
from plumbline.bed import Bed, load
from plumbline.bed.throughput import Factors, Target
from plumbline.load.result import CREATED, SCHEDULED, Result
from plumbline.load.rights import MARK

TARGET: dict[str, Any] = {"profile": "attachments", "to": "kubernetes", "users": 1, "pace": 1, "promise": {}}
SERVERS = """
version: 1
bed: servers
realised_by: hardware
networks: {oobi: {cidr: 127.9.0.0/24}}
nodes:
  one: {role: control, oobi: 127.9.0.1, kubernetes: control-plane}
  two: {role: control, oobi: 127.9.0.2, kubernetes: control-plane}
kubernetes: {version: v1.34.4, api: "https://127.9.0.9:6443", pods: 10.42.0.0/16, services: 10.43.0.0/16, dns: 10.43.0.10}
"""


def pod(name: str, node: str = "", phase: str = "Pending", version: str = "1") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "resourceVersion": version},
        "spec": {"nodeName": node},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("one", "ended"),
    [
        (Attachment(), None),
        (Attachment(planned=1, created=1.5, scheduled=2, fulfilled=3), (3, 2_000_000, "")),
        (Attachment(planned=1, created=1.5, failure="status 409"), (1.5, 0, "status 409")),
        (Attachment(planned=1, created=1.5), (6, 0, NOT_SCHEDULED)),
        (Attachment(planned=1, created=1.5, scheduled=2), (6, 0, NOT_FULFILLED)),
        (Attachment(planned=1, created=1.5, scheduled=2, fulfilled=8), (6, 0, NOT_FULFILLED)),
        (Attachment(planned=6, created=6.5), None),
    ],
)
def test_how_an_object_ends(one: Attachment, ended: tuple[float, int, str] | None) -> None:
    assert one.ended(now=9, timeout=5) == ended


def test_stages_count_from_the_planned_start_and_only_in_the_steady_phase() -> None:
    journal = Journal(timeout=5)
    for name, planned in (("early", 1.0), ("kept", 11.0), ("late", 19.9)):
        journal.expect(name)
        journal.seen(pod(name, "plumbline-agent-0"), planned + 0.2)  # the watch may be sooner than the answer
        journal.answered(name, planned, planned + 0.3, "")
        journal.seen(pod(name, "plumbline-agent-0", "Running"), planned + 0.5)
        journal.seen(pod(name, "plumbline-agent-0", "Running"), planned + 3)
    result = Result("made", began=1010.0, seconds=10.0, users=1)

    journal.fill(result, now=30, clock=1000)

    assert result.total.counts == {500_000: 1}
    assert {name: histogram.counts for name, histogram in result.phases.items()} == {
        CREATED: {300_000: 1},
        SCHEDULED: {200_000: 1},
    }
    assert [(second.at, second.answered) for second in result.by_second] == [(1001, 1), (1011, 1), (1020, 1)]


def test_an_object_that_has_no_end_yet_is_told_with_how_long_it_was_due() -> None:
    journal = Journal(timeout=5)
    for name, planned in (("open", 17.0), ("after", 21.0), ("over", 1.0)):
        journal.expect(name)
        journal.answered(name, planned, planned + 0.3, "")
    result = Result("made", began=1010.0, seconds=10.0, users=1)

    journal.fill(result, now=21, clock=1000)

    assert result.unanswered.counts == {3_000_000: 1}


def test_an_object_that_nobody_asked_for_is_not_counted() -> None:
    journal = Journal(timeout=5)
    journal.seen(pod("of-somebody-else", "a-node", "Running"), 1.0)

    assert not journal.objects


def test_a_watch_tells_events_that_come_in_pieces_and_says_what_it_has_lost() -> None:
    seen: list[str] = []
    watch = Watch("https://none", Settings(), (), "7", lambda pod, now: seen.append(pod["metadata"]["name"]))
    lines = b"".join(json.dumps({"type": "ADDED", "object": pod(name, version=name)}).encode() + b"\n" for name in "89")

    watch._take(lines[:40])
    watch._take(lines[40:])
    assert (seen, watch._version, watch.missing) == (["8", "9"], "9", "")
    watch._take(b'{"type": "ERROR", "object": {"message": "too old"}}\n')
    assert watch.missing == "the watch was ended: too old"


def test_a_watch_that_never_begins_says_why() -> None:
    watch = Watch("https://127.0.0.1:1", Settings(), (), "7", lambda pod, now: None)

    def stop(_: float) -> None:
        watch.stop()

    watch.run(stop)
    assert watch.missing.startswith("nothing was watched: Failed to connect")


def test_a_watch_that_dies_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch("https://127.0.0.1:1", Settings(ca="/none"), (), "7", lambda pod, now: None)
    monkeypatch.setattr("locustfiles.engine.easy.prepare", lambda *_: {}["none"])

    watch.run()
    assert watch.missing == "the watch has ended: KeyError: 'none'"


class Recorded(Api):
    """An API server of lists: what is made is there, and ready unless it was told otherwise."""

    def __init__(self, ready: str = "True") -> None:
        self.calls: list[str] = []
        self.there: dict[str, Any] = {}
        self.ready = ready

    def call(self, method: str, path: str, body: Any = None, *, fine: tuple[int, ...] = ()) -> Any:
        self.calls.append(f"{method} {path.partition('?')[0]}")
        if method == "POST":
            made = {**body, "status": {"conditions": [{"type": "Ready", "status": self.ready}], "phase": "Running"}}
            self.there[f"{path}/{body['metadata']['name']}"] = made
        if method == "DELETE":
            self.there = {key: value for key, value in self.there.items() if not key.startswith(path)}
        wanted = [value for key, value in self.there.items() if key.startswith(path.partition("?")[0])]
        return {"items": [] if "fieldSelector" in path else wanted}


def test_agents_and_population_are_made_after_what_was_left_is_removed() -> None:
    api = Recorded()
    api.there[f"{AGENTS}/plumbline-agent-77"] = agent("77") | {"status": {}}

    Fleet(api, Factors(agents=2, population=3), 5).make()

    assert api.calls.index(f"DELETE {AGENTS}/plumbline-agent-77") < api.calls.index(f"POST {AGENTS}")
    assert (sum("/nodes/" in key for key in api.there), len(api.there)) == (2, 5)


def test_agents_that_nobody_plays_are_told() -> None:
    with pytest.raises(ApiError, match=r"after 0 s there is an agent that is not Ready: does kwok run\?: plumbline-a"):
        Fleet(Recorded(ready="Unknown"), Factors(agents=2), 0).make()


def test_nothing_but_attachments_lands_on_agents_and_they_land_nowhere_else() -> None:
    taint, spec = agent("1")["spec"]["taints"][0], attachment("one")["spec"]

    assert (taint["key"], taint["effect"]) == (MARK, "NoSchedule")
    assert spec["nodeSelector"].items() <= agent("1")["metadata"]["labels"].items()
    assert "status" in agent("1")


@pytest.mark.parametrize("text", ["", "[1", "clusters: []", "clusters: [{cluster: {}}]\nusers: [{user: {token: abc}}]"])
def test_a_kubeconfig_that_is_none_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(
        Refused, match=r"access\.credentials\.kubernetes-load is no kubeconfig with one cluster"
    ) as caught:
        rights.of_kubeconfig(text)

    assert "abc" not in str(caught.value)


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    """A bed whose API is reached at an address of its own, and has two servers behind it."""
    (tmp_path / "bed.yaml").write_text(SERVERS)
    return load(tmp_path / "bed.yaml")


@pytest.mark.parametrize(
    ("servers", "asked"),
    [(1, ["https://127.9.0.9:6443"]), (2, ["https://127.9.0.1:6443", "https://127.9.0.2:6443"])],
)
def test_one_api_server_is_the_declared_one_and_several_are_their_nodes(
    bed: Bed, servers: int, asked: list[str]
) -> None:
    target = Target.model_validate(TARGET | {"factors": {"agents": 1, "servers": servers}})

    assert [origin.url for origin in origins(bed, target)] == asked


def test_more_api_servers_than_there_are_is_refused(bed: Bed) -> None:
    target = Target.model_validate(TARGET | {"factors": {"agents": 1, "servers": 3}})

    with pytest.raises(Refused, match=r"3 API servers are to be asked, and .* has 2 nodes with one"):
        origins(bed, target)
