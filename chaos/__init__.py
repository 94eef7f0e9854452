"""Faults for a bed, the undo that outlives whoever injected them, and the proof that every check can go red."""
