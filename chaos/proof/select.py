"""Which faults are to be proved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chaos.fault import Fault
from chaos.proof.changed import Changed
from chaos.proof.plan import LOAD
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
    left_out: int = 0
    """How many a sample had to leave out, being limited."""


def select(
    faults: Mapping[str, Fault],
    *,
    names: Sequence[str] = (),
    layers: Sequence[str] = (),
    without: Sequence[str] = (),
    sample: Changed | None = None,
    most: int = 0,
) -> Selected:
    """All faults; or those named, of these layers, or the sample that CI runs, which has `most` faults (0: any number)."""
    _known(names, faults, "fault")
    _known([*layers, *without], {fault.layer for fault in faults.values()}, "layer with faults")
    of_layers = [f for f in faults.values() if f.layer in (layers or LAYERS) and f.layer not in without]
    said = " ".join([*(f"--layer {name}" for name in layers), *(f"--without {name}" for name in without)])
    if names:
        return Selected(tuple(faults[name] for name in dict.fromkeys(names)), " ".join(f"--fault {n}" for n in names))
    if sample is not None:
        firsts, touched = _sample(of_layers, sample)
        kept = _spread(touched, max(0, most - len(firsts))) if most else touched
        chosen = tuple(sorted([*firsts, *kept], key=lambda f: f.fault))
        return Selected(chosen, f"--sample {said}".strip(), left_out=len(touched) - len(kept))
    return Selected(
        tuple(of_layers),
        said,
        frozenset(fault.layer for fault in of_layers) | (frozenset() if said else frozenset(LAYERS)),
    )


def _sample(faults: Iterable[Fault], change: Changed) -> tuple[list[Fault], list[Fault]]:
    """The quickest fault of each layer; and the others whose file, or one of whose checks, is not what it was. A fault of
    the load is dear, since its target has to be driven: one of them is there only where the change touches it."""
    firsts: dict[str, Fault] = {}
    touched: list[Fault] = []
    for fault in sorted(faults, key=lambda f: (f.time_to_live, f.fault)):
        first = fault.layer != LOAD and firsts.setdefault(fault.layer, fault) is fault
        if not first and _touched(fault, change):
            touched.append(fault)
    return list(firsts.values()), touched


def _spread(faults: list[Fault], most: int) -> list[Fault]:
    """So many of them, from all over the list."""
    return faults if len(faults) <= most else [faults[number * len(faults) // most] for number in range(most)]


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
