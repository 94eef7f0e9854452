"""Which faults are to be proved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chaos.fault import Fault
from chaos.proof.changed import Changed
from plumbline.bed.errors import nearest
from plumbline.check import LAYERS


class NoSuch(Exception):
    """A name on the command line that nothing has; the text has the nearest one."""


@dataclass(frozen=True)
class Selected:
    """The faults, how the reports call the selection, and the layers of which every fault is in it."""

    faults: tuple[Fault, ...]
    said: str = ""
    whole_layers: frozenset[str] = frozenset()


def select(
    faults: Mapping[str, Fault],
    *,
    names: Sequence[str] = (),
    layers: Sequence[str] = (),
    without: Sequence[str] = (),
    sample: Changed | None = None,
) -> Selected:
    """All faults; or those named, of these layers, or the sample that CI runs."""
    _known(names, faults, "fault")
    _known([*layers, *without], {fault.layer for fault in faults.values()}, "layer with faults")
    of_layers = [f for f in faults.values() if f.layer in (layers or LAYERS) and f.layer not in without]
    said = " ".join([*(f"--layer {name}" for name in layers), *(f"--without {name}" for name in without)])
    if names:
        return Selected(tuple(faults[name] for name in dict.fromkeys(names)), " ".join(f"--fault {n}" for n in names))
    if sample is not None:
        return Selected(tuple(_sample(of_layers, sample)), f"--sample {said}".strip())
    return Selected(
        tuple(of_layers),
        said,
        frozenset(fault.layer for fault in of_layers) | (frozenset() if said else frozenset(LAYERS)),
    )


def _sample(faults: Iterable[Fault], change: Changed) -> list[Fault]:
    """The first fault of each layer, and those whose file, or one of whose checks, is not what it was."""
    chosen: list[Fault] = []
    seen: set[str] = set()
    for fault in sorted(faults, key=lambda f: f.fault):
        if fault.layer not in seen or _touched(fault, change):
            chosen.append(fault)
        seen.add(fault.layer)
    return chosen


def _touched(fault: Fault, change: Changed) -> bool:
    checks = set(fault.red)
    return (
        fault.path.resolve() in {path.resolve() for path in change.faults}
        or bool(checks & change.checks)
        or bool({id.partition(".")[0] for id in checks} & change.layers)
    )


def _known(names: Iterable[str], valid: Iterable[str], kind: str) -> None:
    known = set(valid)
    for name in names:
        if name not in known:
            raise NoSuch(f"there is no {kind} {name}; {nearest(name, known)}")
