"""Collect once, assert many: all that the checks read, gathered from nodes and API server in a few seconds."""
