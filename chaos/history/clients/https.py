"""`https`: requests from a pod of a workload to a persona, over net1 and so through the firewall, TLS verified.

They are made on the pod's node, in the pod's network, by a program that lives as long as the connection to the node.
Where the pod goes away, another of the workload asks on; in between every request is lost.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from typing import Any

from pydantic import Field

from chaos.actions.objects import path_of
from chaos.call import ActionFailed
from chaos.history import client
from chaos.history.client import Talk
from chaos.history.model import Operation
from chaos.reach import Pod, Reach
from plumbline.bed import Bed
from plumbline.collect import program

LIMIT = 3.0
"""Seconds that one request may take."""
LONGEST = 3600.0
_AGAIN = 0.5


class Client(client.Client):
    """Asks for a page, with a new connection each time."""

    from_: str = Field(alias="from", description="a workload with net1")
    to: str = Field(description="a persona")
    path: str = "/"

    def nodes(self, bed: Bed, reach: Reach) -> frozenset[str]:
        return frozenset(pod.node for pod in self._pods(reach)[:1])

    def run(self, talk: Talk) -> None:
        trusts = self._authority(talk)
        said, first = "", True
        while not talk.over.is_set():
            begun = time.time()
            try:
                pods = self._pods(talk.reach)
                if pods:
                    said = self._ask_from(talk, pods[0], trusts, first)
                    first = False
                else:
                    said = f"no pod of {self.from_} runs"
            except (ActionFailed, OSError) as error:
                said = str(error)
            if not talk.over.is_set():
                talk.tell(Operation(talk.name, "request", begun, time.time(), "failed", None, said[:200]))
                talk.over.wait(_AGAIN)

    def _pods(self, reach: Reach) -> list[Pod]:
        return sorted(reach.pods(self.from_), key=lambda pod: not pod.ready)

    def _ask_from(self, talk: Talk, pod: Pod, trusts: str, first: bool) -> str:
        """Asks from one pod until it is over or the pod is gone; why it ended."""
        persona = talk.bed.personas[self.to]
        page = {"address": str(persona.address), "name": persona.name, "ca": trusts, "alpn": ["http/1.1"]}
        steady = {
            "netns": pod.uid, "rate": talk.rate, "timeout": LIMIT, "args": {**page, "http": {"path": self.path}},
        }  # fmt: skip
        text = program.ahead({"nonce": "", "deadline": LONGEST, "steady": steady})
        command = talk.reach.command(pod.node, ["python3", "-IS", "-c", program.START])
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            ends = threading.Thread(target=_end_with, args=(talk.over, process), daemon=True)
            ends.start()
            process.stdin.write(text)
            process.stdin.flush()
            said, ahead = "the connection to the node was lost", 0.0
            for written in process.stdout:
                told = json.loads(written)
                if "clock" in told:
                    ahead = told["clock"] - time.time()
                    if first:
                        talk.ready()
                elif "gone" in told:
                    said = f"{pod.name} is gone"
                else:
                    talk.tell(_operation(talk.name, told, ahead))
            process.kill()
        return said

    def _authority(self, talk: Talk) -> str:
        """What pods of the workload trust: the firewall's authority, or that of the origins."""
        trusts = talk.bed.workloads[self.from_].trusts or (talk.bed.ngfw.verifies if talk.bed.ngfw else None)
        bundle = talk.bed.authorities[trusts].bundle if trusts else None
        if bundle is None:
            raise ActionFailed("it trusts no authority of the bed", place=self.from_)
        named, kind = (bundle.configmap, "ConfigMap") if bundle.configmap else (bundle.secret, "Secret")
        found = talk.reach.get(path_of(kind, named.name, named.namespace)) if named else None
        text = str((found or {}).get("data", {}).get(bundle.key, ""))
        if not text:
            raise ActionFailed(f"{named} has no {bundle.key}", place=f"authority {trusts}")
        if kind == "ConfigMap":
            return text
        import base64

        return base64.b64decode(text).decode("ascii")


def _end_with(over: threading.Event, process: subprocess.Popen[bytes]) -> None:
    """The program on the node ends when nobody speaks to it any more."""
    while not over.wait(0.2):
        if process.poll() is not None:
            return
    time.sleep(min(LIMIT, 0.5))  # what is under way may end
    process.kill()


def _operation(name: str, told: dict[str, Any], ahead: float) -> Operation:
    """A line of the node's program; its clock is `ahead` seconds before this machine's."""
    good = told["outcome"] == "ok" and told["verified"] and told["status"] == 200
    said = "" if good else f"{told['outcome']} {told['status'] or ''} {told['error'] or ''}"
    return Operation(
        name, "request", told["begun"] - ahead, told["ended"] - ahead, "ok" if good else "failed", None, said.strip()
    )
