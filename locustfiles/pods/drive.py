"""Drives one target from pods: makes them, waits for the master's end, brings its result here, removes all of it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from locustfiles.declared import Refused
from locustfiles.engine.request import Settings
from locustfiles.kube.api import Api, ApiError
from locustfiles.pods.inside import unpack
from locustfiles.pods.objects import CONFIGMAPS, OURS, PODS, START_S, Pods
from locustfiles.rights import Rights, of_kubeconfig
from plumbline.bed import Bed
from plumbline.collect.access import Access
from plumbline.load.rights import WORKERS_CREDENTIAL

GRACE = 60.0
"""Seconds that Locust has for its start and its end, and a stopped pod to tell what it has."""
_POLL = 0.3
_BEGUN = ("Running", "Succeeded", "Failed")
_GONE = (404,)


def drive(bed: Bed, name: str, ca: str, folder: Path) -> None:
    """Leaves in `folder` what the master tells at its end, whoever ends it; `ca` is whom users trust (PEM).

    Refused where there are no rights to make pods, ApiError where they cannot be made or tell nothing. Interrupted, it
    has the master end in good order and keeps what was measured, before it lets KeyboardInterrupt through.
    """
    shown = _rights(bed)
    pods = Pods(bed, name, f"plumbline-load-{secrets.token_hex(3)}")
    limit = START_S + pods.target.time.total_seconds() + GRACE
    api = _api(bed, shown, GRACE)
    with _made(api, pods, ca):
        log = _Log(_api(bed, shown, limit), f"{PODS}/{pods.master_name}/log?follow=true")
        try:
            log.wait(limit)
        except KeyboardInterrupt:
            api.call("DELETE", f"{PODS}/{pods.master_name}", fine=_GONE)
            log.wait(GRACE)
            unpack(log.text, folder)
            raise
    if not unpack(log.text, folder):
        raise ApiError(f"the master told no result: {log.error or log.text.strip()[-600:] or 'its log is empty'}")


class _Log:
    """The log of a pod as it is written, until the pod ends: read in a thread of its own."""

    def __init__(self, api: Api, path: str) -> None:
        self.text = self.error = ""
        # Not by join: one that is interrupted believes from then on that the thread has ended (Python 3.11).
        self._ended = threading.Event()
        threading.Thread(target=self._read, args=(api, path), daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Returns when the pod has ended, or the time is over."""
        self._ended.wait(seconds)

    def _read(self, api: Api, path: str) -> None:
        try:
            self.text = api.text(path)
        except ApiError as error:
            self.error = str(error)
        finally:
            self._ended.set()


@contextmanager
def _made(api: Api, pods: Pods, ca: str) -> Iterator[None]:
    """All pods run, and nothing of them, or of a run that was killed, is left afterwards."""
    remove(api)
    try:
        api.call("POST", CONFIGMAPS, pods.configuration(ca))
        api.call("POST", PODS, pods.master(bool(ca)))
        (master,) = _await_begun(api)
        address = master["status"].get("podIP")
        if not address:  # refused by its node, or evicted, before it had one
            raise ApiError(f"{pods.master_name} ended before its workers began: {_why(master)}")
        for number in range(1, (pods.target.workers or 0) + 1):
            api.call("POST", PODS, pods.worker(number, address, bool(ca)))
        _await_begun(api)
        yield
    finally:
        remove(api)


def remove(api: Api) -> None:
    """Whatever run made them: pods and what they read. ApiError where something stays."""
    at_once = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
    deadline = time.monotonic() + GRACE
    while left := [kind for kind in (PODS, CONFIGMAPS) if api.call("GET", f"{kind}?labelSelector={OURS}")["items"]]:
        if time.monotonic() > deadline:
            raise ApiError(f"there is still something in {left[0]} after {GRACE:.0f} s")
        for kind in left:
            api.call("DELETE", f"{kind}?labelSelector={OURS}", at_once)
        time.sleep(_POLL)


def _await_begun(api: Api) -> list[dict[str, Any]]:
    """All pods, when each has begun. ApiError tells why one has not in time."""
    deadline = time.monotonic() + START_S
    while True:
        pods: list[dict[str, Any]] = api.call("GET", f"{PODS}?labelSelector={OURS}")["items"]
        waiting = [pod for pod in pods if pod["status"].get("phase") not in _BEGUN]
        if not waiting:
            return pods
        if time.monotonic() > deadline:
            raise ApiError(f"{waiting[0]['metadata']['name']} did not start in {START_S} s: {_why(waiting[0])}")
        time.sleep(_POLL)


def _why(pod: dict[str, Any]) -> str:
    """What the kubelet says of it, or else the scheduler."""
    if refused := f"{pod['status'].get('reason', '')} {pod['status'].get('message', '')}".strip():
        return refused
    for container in pod["status"].get("containerStatuses", ()):
        if said := container.get("state", {}).get("waiting"):
            return f"{said.get('reason', '')} {said.get('message', '')}".strip()
    said = [condition["message"] for condition in pod["status"].get("conditions", ()) if condition.get("message")]
    return said[0] if said else "nobody says why"


def _rights(bed: Bed) -> Rights:
    access = Access.of(bed)
    access.require_inside(bed)
    if WORKERS_CREDENTIAL not in access.credentials:
        raise Refused(f"there is no kubeconfig for workers: {access.without(WORKERS_CREDENTIAL)}")
    return of_kubeconfig(access.credentials[WORKERS_CREDENTIAL], WORKERS_CREDENTIAL)


def _api(bed: Bed, shown: Rights, limit: float) -> Api:
    assert bed.kubernetes is not None, "see plumbline.bed.asked"
    settings = Settings(authority=shown.authority, certificate=shown.certificate)
    return Api(bed.kubernetes.api, settings, shown.headers, limit)
