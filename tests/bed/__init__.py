"""Tests of the bed file: its loader, its references, its schema, its rules."""
