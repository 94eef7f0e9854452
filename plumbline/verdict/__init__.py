"""From results to a verdict: what is wrong, what follows from it, and whether the bed is go, no-go or unknown."""

from plumbline.verdict.folding import Finding, fold
from plumbline.verdict.model import Counts, Outcome, Result, Verdict
from plumbline.verdict.run import Run
from plumbline.verdict.verdict import LAYER_ORDER, layers, verdict

__all__ = ["LAYER_ORDER", "Counts", "Finding", "Outcome", "Result", "Run", "Verdict", "fold", "layers", "verdict"]
