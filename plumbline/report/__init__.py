"""Telling a run: the files that it leaves, and what it prints."""
