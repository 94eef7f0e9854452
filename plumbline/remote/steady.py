"""The same TLS request again and again at a steady rate, in the network of a pod: a line of JSON each, until stdin ends.

args: netns (UID of a pod), rate (a second), timeout (s), args (of `tls`).
Lines: {clock} first, the time here; {begun, ended, outcome, verified, status, error} for each request; {gone} at the end
where the pod is no more. Times are in seconds of the epoch.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from plumbline.remote import netns, pods, tls
from plumbline.remote.types import Json, Probe

_MOST_AT_ONCE = 64


def run(steady: Json) -> None:
    """Asks until standard input ends, or the pod is gone."""
    pod = pods.scan().get(steady["netns"])
    if pod is None:
        _say({"gone": True})
        return
    netns.enter(pod.namespace)  # before there are other threads: they are to stand there too
    threading.Thread(target=_end_with_input, daemon=True).start()
    _say({"clock": time.time()})
    at_once = min(_MOST_AT_ONCE, int(steady["rate"] * steady["timeout"]) + 2)
    next_at = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        while _alive(pod):
            pool.submit(_ask, steady)
            next_at = max(next_at + 1.0 / steady["rate"], time.monotonic() - 1.0)
            time.sleep(max(0.0, next_at - time.monotonic()))
        _say({"gone": True})
        os._exit(0)


def _ask(steady: Json) -> None:
    begun = time.time()
    answer = tls.probe(Probe("steady", "tls", steady["args"], timeout=steady["timeout"]))
    page = answer.facts.get("http") or {}
    said = answer.error or answer.facts.get("verify_error") or answer.facts.get("http_error")
    _say({
        "begun": begun, "ended": time.time(), "outcome": answer.outcome, "verified": answer.facts.get("verified"),
        "status": page.get("status"), "error": said,
    })  # fmt: skip


def _alive(pod: pods.Pod) -> bool:
    return os.path.exists(f"/proc/{pod.processes[0]}")


def _end_with_input() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


_one_at_a_time = threading.Lock()


def _say(told: Json) -> None:
    with _one_at_a_time:
        try:
            os.write(1, (json.dumps(told) + "\n").encode())
        except OSError:
            os._exit(1)
