"""Collect once, assert many: all that the checks read, gathered from nodes and API server in a few seconds."""

from plumbline.collect.access import Access
from plumbline.collect.run import collect

__all__ = ["Access", "collect"]
