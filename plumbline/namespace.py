"""Entering the network namespace from which a bed is looked at."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from plumbline.outcome import BedUnreachable

_CLONE_NEWNET = 0x40000000


def path_of(name: str) -> Path:
    """The file of a named namespace, or of one that is given by its path."""
    return Path(name) if "/" in name else Path("/run/netns", name)


def enter(name: str) -> None:
    """Moves this thread, and all that it starts from now on, into a network namespace; BedUnreachable if it cannot.

    Call it before any packet is sent: outside of the namespace the bed's addresses may be somebody else's.
    """
    file = path_of(name)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BedUnreachable(
            f"the runner's network namespace {file} does not exist", remedy="python -m lab up"
        ) from error
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise BedUnreachable(
                f"the runner's network namespace {file} cannot be entered: {reason}", remedy="run as root"
            )
    finally:
        os.close(descriptor)


def inside(name: str) -> bool:
    """Whether this thread is in that namespace."""
    here, there = os.stat("/proc/thread-self/ns/net"), os.stat(path_of(name))
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
