"""The node's program: a request in, one JSON document out, between markers that no banner can imitate."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from plumbline.remote import host, pods
from plumbline.remote.types import Json, Probe


def main(request: Json) -> None:
    """Answers a request on standard output.

    It has nonce, deadline (s), host: {...} or null, pods: bool, consul: {...}, slurm: {...}, processes: [...],
    probes: [...]; or steady: {...} or submit: {...} alone, which answer with lines of their own for as long as they are
    asked.
    """
    deadline = time.monotonic() + float(request["deadline"])
    signal.alarm(int(request["deadline"]) + 5)  # the last resort, should this process outlive its caller
    if request.get("steady"):
        from plumbline.remote import steady

        steady.run(request["steady"])
        return
    if request.get("submit"):
        from plumbline.remote import slurm_submit

        slurm_submit.run(request["submit"])
        return
    document: Json = {"start": time.time(), "user": os.geteuid()}
    found = (
        pods.scan()
        if request.get("pods") or any(p.get("netns", "host") != "host" for p in request.get("probes", ()))
        else {}
    )
    if request.get("host") is not None:
        document["host"] = host.describe(request["host"])
    if request.get("pods"):
        document["pods"] = pods.describe(found, deadline, request.get("environment"))
    if request.get("consul"):
        from plumbline.remote import consul

        document["consul"] = consul.describe(request["consul"])
    if request.get("slurm"):
        from plumbline.remote import slurm

        document["slurm"] = slurm.describe(request["slurm"], deadline)
    if request.get("processes"):
        from plumbline.remote import processes

        document["processes"] = processes.describe(request["processes"])
    if request.get("probes"):
        from plumbline.remote import workers  # what only reads need not compile this

        document["probes"] = workers.run([Probe.of(p) for p in request["probes"]], found, deadline)
    document["end"] = time.time()
    nonce = request["nonce"]
    sys.stdout.write(f"\n<<<plumbline {nonce}\n{json.dumps(document)}\nplumbline {nonce}>>>\n")
    sys.stdout.flush()
