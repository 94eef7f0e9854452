"""The control of an experiment: it guards its begin, undoes at its end whatever becomes of it, and writes its result.

The toolkit calls a run completed whose rollbacks, or whose actions, have failed; this control does not.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from chaos.extension import running
from chaos.extension.result import written
from plumbline.report.files import write_atomically

logger = logging.getLogger("chaostoolkit")


def before_experiment_control(context: Mapping[str, Any], bed: str, **_: Any) -> None:
    """Begins, or interrupts an experiment that may not run on this bed."""
    from chaoslib.exceptions import InterruptExecution

    try:
        running.begin(bed, context)
    except Exception as error:  # whatever it is: the toolkit would go on
        raise InterruptExecution(str(error)) from error


def after_activity_control(context: Mapping[str, Any], state: Mapping[str, Any] | None = None, **_: Any) -> None:
    """After an action that failed nothing more is done but to undo; after an interruption the safeguard ends."""
    from chaoslib.exceptions import InterruptExecution

    here = running.running()
    if here is None:
        return
    if state is None:
        here.over.set()
    elif context.get("type") == "action" and state.get("status") == "failed":
        here.over.set()
        raise InterruptExecution(f"{context['name']} failed: {_said(state)}")


def after_experiment_control(context: Mapping[str, Any], state: dict[str, Any], **_: Any) -> None:
    """Whatever became of the experiment: nothing stays in, and its journal says so where something does."""
    here = running.running()
    if here is None:
        return
    try:
        running.end()
    except Exception as error:
        logger.critical(f"it could not be undone: {error}")
        here.still_in = here.still_in or str(error)
    failed = [f"{a['activity']['name']}: {_said(a)}" for a in state.get("rollbacks", ()) if a["status"] != "succeeded"]
    if failed and here.in_bed:
        here.still_in = here.still_in or "; ".join(failed)
    broken = [a["activity"]["name"] for a in state.get("run", ()) if a.get("status") != "succeeded"]
    if (here.still_in or failed or broken) and state["status"] == "completed":
        state["status"] = "failed"
    write_atomically(here.folder / "result.json", written(here, context, state))


def cleanup_control() -> None:
    """The last resort, where the toolkit itself broke off."""
    running.end()


def _said(activity: Mapping[str, Any]) -> str:
    return " ".join(map(str, activity.get("exception", ["it did not say why"])[-1:])).strip()
