"""What a proof found out, as data: proof.json is this, and docs/proof.schema.json describes it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1
LEAST_LOCALISED = 0.95
HEALTHY_RUNS = 10
TOGETHER = 10
"""How many faults that have nothing to do with each other a proof puts in at a time."""

State = Literal["judged", "no-effect", "not-injected", "no-gate", "not-settled", "not-undone"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Root(_Part):
    """A red check that nothing else explains."""

    check: str = Field(description="id of the check")
    subjects: tuple[str, ...] = Field(description="the things of the bed that it is red on, as kind:name")
    outcome: Literal["failed", "unknown"]

    @property
    def layer(self) -> str:
        """The layer that the id begins with."""
        return self.check.partition(".")[0]

    def __str__(self) -> str:
        more = f" and {len(self.subjects) - 1} more" if len(self.subjects) > 1 else ""
        return f"{self.check} on {self.subjects[0]}{more}{' (unknown)' if self.outcome == 'unknown' else ''}"


class Seconds(_Part):
    """How long the parts of a row took."""

    named: float = Field(0, ge=0, description="from the first change of the bed until the gate named the cause")
    gate: float = Field(0, ge=0, description="the gate alone")
    total: float = Field(
        0, ge=0, description="with the undo and its verification, shared out where several were in together"
    )


class Row(_Part):
    """One fault, and what the gate made of it."""

    fault: str = Field(description="name of the fault")
    layer: str = Field(description="the layer that it hits")
    subjects: tuple[str, ...] = Field(description="the subjects by which it is to be found, as patterns")
    stands_for: str = Field("", description="the document that tells of this fault")
    summary: str = Field("", description="what is broken")
    state: State = Field(
        "judged",
        description="how far it came: judged; or the effect did not show, it could not be put in, the gate gave no "
        "report, the bed was not as before in time, the fault could not be taken out",
    )
    error: str = Field("", description="why it is not judged")
    verdict: str = Field("", description="the gate's verdict while the fault was in")
    detected: bool = Field(False, description="the verdict was not go, and every check of `expected` failed")
    localised: bool = Field(False, description="the first finding was of the right layer, on the right subject")
    expected: tuple[str, ...] = Field((), description="ids of the checks that must fail")
    missed: tuple[str, ...] = Field((), description="those of `expected` that did not fail")
    first: Root | None = Field(None, description="the first finding of the gate; null where there was none")
    extra: tuple[Root, ...] = Field((), description="roots that the fault file does not foresee")
    red: tuple[str, ...] = Field((), description="ids of all checks that failed because of it, as a root or not")
    consequences: dict[str, int] = Field({}, description="layer to number of red checks that are folded under a root")
    roots: dict[str, int] = Field({}, description="layer to number of roots")
    beside: tuple[str, ...] = Field((), description="faults that were in together with it, and have their own rows")
    again: bool = Field(
        False, description="it was put in by itself before, and not hit; the bed was seen go in between"
    )
    first_time: str = Field(
        "", description="why it was put in again, in less company or by itself: what was wrong with it the first time"
    )
    seconds: Seconds = Seconds()
    digest: str = Field("", description="of the fault, the bed file and the checks; --resume keeps rows that match")

    @property
    def hit(self) -> bool:
        """Whether there is nothing to mend."""
        return self.state == "judged" and self.detected and self.localised and not self.extra


class Healthy(_Part):
    """A run of the gate with no fault in."""

    after: str = Field(description="the group of faults it followed; empty before the first")
    verdict: str
    checks: int = Field(ge=0, description="how many ran")
    red: tuple[Root, ...] = Field((), description="what it found although nothing was broken")
    alarms: int = Field(0, ge=0, description="number of red checks: false alarms")
    seconds: float = Field(0, ge=0)


class Proof(_Part):
    """The whole matrix."""

    format: Literal[1] = Field(1, description="version of this format; grows when a field changes its meaning or goes")
    bed: str
    bed_file: str
    selection: str = Field("", description="what the command line selected; empty where every fault was run")
    started: str = Field(description="when the run began, UTC")
    seconds: float = Field(0, ge=0)
    complete: bool = Field(False, description="false while it runs, and where it was stopped: --resume goes on")
    faults: int = Field(0, ge=0, description="number of rows")
    detected: int = Field(0, ge=0)
    localised: int = Field(0, ge=0)
    unjudged: int = Field(0, ge=0, description="rows that did not come to their end: see `state`")
    again: int = Field(0, ge=0, description="rows that were put in a second time by themselves")
    extra_roots: int = Field(0, ge=0, description="roots that no fault file foresees, over all rows")
    false_alarms: int = Field(0, ge=0, description="red checks in runs without a fault")
    checks: int = Field(0, ge=0, description="number of checks that apply to the bed and were to be proved")
    checks_without_fault: tuple[str, ...] = Field((), description="ids of these that no fault made fail")
    not_applicable: tuple[str, ...] = Field((), description="ids of checks that this bed cannot show, as its file says")
    healthy: tuple[Healthy, ...] = ()
    rows: tuple[Row, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the goals hold for what was selected."""
        return self.complete and all(goal.held for goal in goals(self))


class Goal(_Part):
    """A figure and what it has to be."""

    name: str
    figure: str
    wanted: str
    held: bool


def goals(proof: Proof) -> list[Goal]:
    """The figures against the goals, in the order in which they are told."""
    least = LEAST_LOCALISED * proof.faults
    told = [
        Goal(
            name="faults detected",
            figure=_share(proof.detected, proof.faults),
            wanted="all",
            held=proof.detected == proof.faults and proof.faults > 0,
        ),
        Goal(
            name="localised",
            figure=_share(proof.localised, proof.faults),
            wanted=f"{LEAST_LOCALISED:.0%}",
            held=proof.localised >= least,
        ),
        Goal(
            name="not put in, not judged or not undone", figure=str(proof.unjudged), wanted="0", held=not proof.unjudged
        ),
        Goal(
            name=f"false alarms in {_runs(len(proof.healthy))} without a fault",
            figure=str(proof.false_alarms),
            wanted="0",
            held=proof.false_alarms == 0,
        ),
    ]
    if proof.checks:
        told.append(
            Goal(
                name=f"of {proof.checks} checks without a fault",
                figure=str(len(proof.checks_without_fault)),
                wanted="0",
                held=not proof.checks_without_fault,
            )
        )
    return told


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({part / whole:.0%})" if whole else "")


def _runs(number: int) -> str:
    return f"{number} run{'' if number == 1 else 's'}"
