"""Probes side by side: a forked child for each network namespace, threads inside it, and a hard end for both."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from plumbline.remote import (
    arp,
    audit,
    capture,
    dns,
    http_get,
    journal,
    netns,
    ping,
    quic,
    snmp,
    ssh_login,
    step_issue,
    tcp,
    tls,
    trunk,
)
from plumbline.remote.pods import Pod
from plumbline.remote.types import ERROR, TIMEOUT, Answer, Json, Probe, failure

_KINDS: dict[str, Callable[[Probe], Answer]] = {
    "arp": arp.probe,
    "audit": audit.probe,
    "dns": dns.probe,
    "http": http_get.probe,
    "journal": journal.probe,
    "ping": ping.probe,
    "quic": quic.probe,
    "snmp": snmp.probe,
    "ssh": ssh_login.probe,
    "step": step_issue.probe,
    "tcp": tcp.probe,
    "tls": tls.probe,
    "trunk": trunk.probe,
}
_WORKING = frozenset({"tls", "http", "ssh", "step"})  # these need a processor; the others only wait
_WORKERS, _WAITERS = 12, 96
_CHILDREN, _WORKING_CHILDREN = 64, 16
_GRACE_S = 0.7


@dataclass
class _Child:
    """A forked child, what it has said so far, and when it must have ended."""

    process: int
    probes: dict[str, Probe]
    end: float
    stop: int | None = None
    buffer: bytearray = field(default_factory=bytearray)


def run(probes: list[Probe], pods: dict[str, Pod], deadline: float) -> dict[str, Json]:
    """The answer to each probe, by id, before `deadline` (monotonic)."""
    results: dict[str, Json] = {}
    groups: dict[tuple[str, str], list[Probe]] = defaultdict(list)
    for probe in probes:
        groups[(probe.netns, probe.id if probe.kind == "capture" else "")].append(probe)
    # captures first: they listen before anything is sent; then those that only wait
    queue = deque(sorted(groups.items(), key=lambda group: (not group[0][1], _works(group[1]))))
    children: dict[int, _Child] = {}
    while queue or children:
        while queue and len(children) < _CHILDREN:
            if (
                _works(queue[0][1])
                and sum(_works(list(c.probes.values())) for c in children.values()) >= _WORKING_CHILDREN
            ):
                break
            (where, _capture), group = queue.popleft()
            if where != "host" and where not in pods:
                results.update(
                    {p.id: _json(Answer(ERROR, f"no process of pod {where} runs on this node"), 0.0) for p in group}
                )
                continue
            reader, child = _fork(group, "" if where == "host" else pods[where].namespace, deadline)
            children[reader] = child
        _stop_captures(children, [p for _, group in queue for p in group], results)
        _collect(children, results)
    return results


def _works(group: list[Probe]) -> bool:
    return any(probe.kind in _WORKING for probe in group)


def _stop_captures(children: dict[int, _Child], queued: list[Probe], results: dict[str, Json]) -> None:
    """Tells a capture that what should run during it has ended."""
    unanswered = [*queued, *(p for child in children.values() for p in child.probes.values())]
    for child in children.values():
        identity = next(iter(child.probes), "")
        if child.stop is not None and not any(p.during == identity for p in unanswered if p.id not in results):
            os.write(child.stop, b".")  # closing alone is not seen while another child has inherited the pipe
            os.close(child.stop)
            child.stop = None


def _collect(children: dict[int, _Child], results: dict[str, Json]) -> None:
    if not children:
        return
    nearest = min(child.end for child in children.values())
    ready, _, _ = select.select(list(children), [], [], max(0.0, nearest - time.monotonic()))
    for reader in ready:
        child, chunk = children[reader], os.read(reader, 1 << 16)
        child.buffer += chunk
        *lines, rest = child.buffer.split(b"\n")
        child.buffer = bytearray(rest)
        for line in lines:
            if line:
                results.update(json.loads(line))
        if not chunk:
            _end(child, results, Answer(ERROR, "the probing process died"))
            os.close(reader)
            del children[reader]
    now = time.monotonic()
    for reader, child in list(children.items()):
        if now >= child.end:
            os.kill(child.process, 9)
            _end(child, results, Answer(TIMEOUT, "killed: no answer at its deadline"))
            os.close(reader)
            del children[reader]


def _end(child: _Child, results: dict[str, Json], answer: Answer) -> None:
    os.waitpid(child.process, 0)
    if child.stop is not None:
        os.close(child.stop)
    for identity in child.probes:
        results.setdefault(identity, _json(answer, 0.0))


def _fork(group: list[Probe], namespace: str, deadline: float) -> tuple[int, _Child]:
    reader, writer = os.pipe()
    stopped, stop = os.pipe() if group[0].kind == "capture" else (-1, -1)
    end = min(deadline, time.monotonic() + _time_for(group) + _GRACE_S)
    process = os.fork()
    if process == 0:
        try:
            os.close(reader)
            if stop >= 0:
                os.close(stop)
            _child(group, namespace, writer, stopped)
        finally:
            os._exit(0)
    os.close(writer)
    child = _Child(process, {p.id: p for p in group}, end)
    if stop >= 0:
        os.close(stopped)
        child.stop = stop
        select.select([reader], [], [], 1.0)  # its first line says that it listens
    return reader, child


def _time_for(group: list[Probe]) -> float:
    """The longest that all of these can take, in seconds."""
    working = [p.timeout for p in group if p.kind in _WORKING]
    waiting = [p.timeout for p in group if p.kind not in _WORKING]
    return max(_rounds(working, _WORKERS), _rounds(waiting, _WAITERS))


def _rounds(times: list[float], threads: int) -> float:
    return max(times, default=0.0) * -(-len(times) // threads)


def _child(group: list[Probe], namespace: str, writer: int, stopped: int) -> None:
    lock = threading.Lock()

    def say(data: dict[str, Json]) -> None:
        text = json.dumps(data).encode() + b"\n"
        with lock:
            while text:
                text = text[os.write(writer, text) :]

    try:
        if namespace:
            netns.enter(namespace)
        listening = capture.start(group[0]) if stopped >= 0 else None
    except OSError as error:
        say({p.id: _json(Answer(failure(error), f"{p.args.get('interface', p.netns)}: {error}"), 0.0) for p in group})
        return
    if listening is not None:
        _capture(group[0], listening, stopped, say)
        return
    with ThreadPoolExecutor(_WORKERS) as workers, ThreadPoolExecutor(_WAITERS) as waiters:
        for probe in group:
            pool = workers if probe.kind in _WORKING else waiters
            pool.submit(_tell, say, probe)


def _capture(probe: Probe, listening: socket.socket, stopped: int, say: Callable[[dict[str, Json]], None]) -> None:
    say({})
    started = time.monotonic()
    with listening:
        say({probe.id: _json(capture.listen(probe, listening, stopped), time.monotonic() - started)})


def _tell(say: Callable[[dict[str, Json]], None], probe: Probe) -> None:
    say({probe.id: _answered(probe)})


def _answered(probe: Probe) -> Json:
    started = time.monotonic()
    try:
        ask = _KINDS.get(probe.kind)
        answer = ask(probe) if ask else Answer(ERROR, f"no probe of the kind {probe.kind}")
    except OSError as error:
        answer = Answer(failure(error), str(error))
    except Exception as error:  # one probe's mistake must not take the others with it
        answer = Answer(ERROR, f"{type(error).__name__}: {error}"[:300])
    return _json(answer, time.monotonic() - started)


def _json(answer: Answer, seconds: float) -> Json:
    return {"outcome": answer.outcome, "error": answer.error, "seconds": round(seconds, 4), "facts": answer.facts}
