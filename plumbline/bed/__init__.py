"""The bed file: what must be true of a test bed, declared once and read by everything else."""

from plumbline.bed.errors import BedError
from plumbline.bed.load import load
from plumbline.bed.model import Bed
from plumbline.bed.secrets import resolve, resolve_path

__all__ = ["Bed", "BedError", "load", "resolve", "resolve_path"]
