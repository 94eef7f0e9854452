"""Tests of what is collected from a bed."""
