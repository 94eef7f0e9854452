"""A node that is drained: who is asked to go, who stays, and that it takes pods again."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.call import ActionFailed, Call
from tests.chaos.reaches import Local, bed

BED = bed()
CALL = Call("kubernetes.drain", {"node": "ucs-3", "limit": 0.5})


class Drained(Local):
    """A node with three pods; a disruption budget says no so many times to the first eviction."""

    def __init__(self, refusals: int = 0) -> None:
        super().__init__(BED, {})
        self.refusals = refusals
        self.keep("Node", "ucs-3", spec={}, status={})
        self.there = {name: _pod(name, kind) for name, kind in (("a", "ReplicaSet"), ("b", "DaemonSet"), ("c", "Node"))}

    def get(self, path: str, **query: str) -> Any:
        if query.get("fieldSelector") == "spec.nodeName=ucs-3":
            return {"items": list(self.there.values())}
        return super().get(path, **query)

    def answer(self, method: str, path: str, body: Any = None, *, limit: float = 10.0) -> tuple[int, Any]:
        assert body["kind"] == "Eviction"
        if self.refusals:
            self.refusals -= 1
            return 429, {"message": "Cannot evict pod as it would violate the pod's disruption budget."}
        del self.there[path.split("/")[-2]]
        return 201, {}


def _pod(name: str, owner: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "x", "ownerReferences": [{"kind": owner}]}
    return {"metadata": metadata, "spec": {"nodeName": "ucs-3"}, "status": {"phase": "Running"}}


def test_pods_are_asked_to_go_but_for_those_that_belong_to_the_node() -> None:
    with Drained() as reach:
        undo = CALL.reverse(BED, reach)
        CALL.apply(BED, reach)
        assert CALL.holds(BED, reach)
        assert sorted(reach.there) == ["b", "c"]
        undo[0].apply(BED, reach)

        assert undo[0].holds(BED, reach)
        assert not CALL.holds(BED, reach)


def test_a_disruption_budget_that_never_gives_way_is_told() -> None:
    with Drained(refusals=9) as reach, pytest.raises(ActionFailed, match="x/a: the pod may not be evicted: 429"):
        CALL.apply(BED, reach)
