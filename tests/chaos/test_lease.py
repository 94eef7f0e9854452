"""The Lease by which a run of faults holds a bed against other machines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from chaos import lease
from chaos.call import ActionFailed
from chaos.lease import LeftElsewhere
from chaos.reach import Reach
from plumbline import lease as reading
from plumbline.bed import Bed
from plumbline.hold import Held
from tests.chaos.scratch import Scratch

CLUSTER = "kubernetes: {version: '1', api: 'https://localhost', pods: 10.42.0.0/16, services: 10.43.0.0/16, dns: 10.43.0.10}\n"


class _Server:
    """Keeps one Lease, as the API server does."""

    def __init__(self, found: dict[str, Any] | None = None, up: bool = True) -> None:
        self.found, self.up = found, up

    def get(self, path: str) -> dict[str, Any] | None:
        if not self.up:
            raise ActionFailed("no route to host")
        return self.found

    def api(self, method: str, path: str, body: Any = None, **about: bool) -> Any:
        if method == "POST" and self.found is not None:
            assert about["exists"]
            return None
        if method == "PUT":
            assert self.found is not None
            assert body["metadata"]["resourceVersion"] == self.found["metadata"]["resourceVersion"]
        self.found = None if method == "DELETE" else {**body, "metadata": {**body["metadata"], "resourceVersion": "2"}}
        return self.found


def written(host: str, minutes: float) -> dict[str, Any]:
    renewed = datetime.now(UTC) + timedelta(minutes=minutes)
    spec = {"holderIdentity": host, "renewTime": renewed.isoformat(), "leaseDurationSeconds": 1}
    return {"metadata": {"resourceVersion": "1"}, "spec": spec}


@pytest.fixture
def bed(scratch: Scratch) -> Bed:
    return scratch.bed(more=CLUSTER)


def reach(server: _Server) -> Reach:
    return cast(Reach, server)


def test_it_is_taken_for_as_long_as_fault_and_undo_may_last_and_given_back(bed: Bed) -> None:
    server = _Server()

    lease.take(bed, reach(server), "id-1", 100.0)
    told = reading.read(server.found or {})

    assert told is not None
    assert (told.id, told.foreign, told.live) == ("id-1", False, True)
    assert timedelta(seconds=150) < told.until - datetime.now(UTC) < timedelta(seconds=161)
    lease.release(bed, reach(server), "id-1")
    assert server.found is None


def test_another_machine_that_has_it_is_waited_for(bed: Bed) -> None:
    with pytest.raises(Held, match="elsewhere"):
        lease.take(bed, reach(_Server(written("elsewhere/0123/id-2", 5))), "id-1", 100.0)


def test_another_machine_that_never_gave_it_back_has_left_a_fault(bed: Bed) -> None:
    with pytest.raises(LeftElsewhere, match=r"ledger undo` on elsewhere[\s\S]*delete lease plumbline-"):
        lease.take(bed, reach(_Server(written("elsewhere/0123/id-2", -5))), "id-1", 100.0)


def test_one_that_this_machine_left_is_taken_over(bed: Bed) -> None:
    server = _Server()
    lease.take(bed, reach(server), "id-1", 100.0)
    lease.take(bed, reach(server), "id-2", 100.0)

    told = reading.read(server.found or {})
    assert told is not None
    assert told.id == "id-2"
    lease.release(bed, reach(server), "id-1")
    assert server.found is not None


def test_an_api_server_that_is_down_does_not_hinder_the_undo(bed: Bed) -> None:
    lease.release(bed, reach(_Server(up=False)), "id-1")


def test_a_bed_without_a_cluster_has_no_lease(scratch: Scratch) -> None:
    server = _Server()

    lease.take(scratch.bed(), reach(server), "id-1", 100.0)

    assert server.found is None
