"""A fault of plumbline as actions and probes of an experiment, and the control that undoes it.

```yaml
controls:  [{name: undo, provider: {type: python, module: chaos.extension.fault}}]
method:    [{type: action, name: …, provider: {type: python, module: chaos.extension.fault, func: inject, arguments: …}}]
rollbacks: [{type: action, name: …, provider: {type: python, module: chaos.extension.fault, func: undo}}]
```
`chaos.experiment` writes such an experiment for any fault. The session that `inject` opens is the same as everywhere:
ledger, watchdog and all, so that the fault is undone even where the toolkit's own rollbacks never run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chaos import fault as faults
from chaos.session import Injected, session
from chaos.undo import holds
from plumbline.bed import Bed, load

GATE_LIMIT = 300.0
NO_GO = 1
ROOT = Path(__file__).resolve().parents[2]
_OPEN: list[tuple[ExitStack, Injected]] = []
"""What is in: the toolkit hands nothing from one activity to the next, and one process has one experiment."""

__all__ = ["after_experiment_control", "close", "effect", "gate", "inject", "undo"]


def inject(bed: str, fault: str, time_to_live: float = 0.0) -> str:
    """Puts a fault in, by name or by its file; its effect is seen before this returns. `time_to_live`: seconds."""
    declared = load(Path(bed))
    wanted = faults.find(fault, declared)
    stack = ExitStack()
    injected = stack.enter_context(session(declared, wanted, time_to_live or None))
    _OPEN.append((stack, injected))
    return injected.id


def effect() -> bool:
    """Whether every fault that was injected is still in."""
    from chaos.reach import Reach

    if not _OPEN:
        return False
    injected = _OPEN[-1][1]
    with Reach(injected.bed) as reach:
        last = {call.action: call for call in injected.fault.inject}
        return all(holds(injected.bed, reach, call) for call in (*last.values(), *injected.fault.effect))


def undo() -> int:
    """Takes out all that was injected, the last first; how many it was. Raises where one cannot be undone."""
    count = len(_OPEN)
    close()
    return count


def gate(bed: str, report_dir: str, suites: str = "suites", workers: str = "auto") -> int:
    """Runs the gate, and gives its exit code: 0 go, 1 no-go. It is let through while a fault of this process is in."""
    environment = _OPEN[-1][1].environment if _OPEN else {}
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, suites, "--bed", _absolute(load(Path(bed)))]
    done = subprocess.run(
        [*command, "--report-dir", str(Path(report_dir).resolve())],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=GATE_LIMIT,
        check=False,
    )
    return done.returncode


def after_experiment_control(context: Mapping[str, Any], state: Mapping[str, Any], **_: Any) -> None:
    """The toolkit's control: whatever became of the experiment and of its rollbacks, nothing stays in."""
    close()


def close() -> None:
    """Undoes what is open; every one has its turn, then the first trouble is raised."""
    troubles: list[Exception] = []
    while _OPEN:
        stack, _ = _OPEN.pop()
        try:
            stack.close()
        except Exception as error:
            troubles.append(error)
    if troubles:
        raise troubles[0]


def _absolute(bed: Bed) -> str:
    return str(bed.path.resolve())
