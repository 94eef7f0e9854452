"""How a call fails that is no HTTP. It knows nothing of Locust."""

from __future__ import annotations

import errno
import os

from plumbline.load.result import GENERATOR

_OWN = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM)
"""Errors of the generator's own machine."""


class CallFailed(Exception):
    """A call without a good answer. Its text is the class of failure that it is counted under."""

    @classmethod
    def by(cls, error: OSError) -> CallFailed:
        """The class of an error of the system: connection refused, no route to host."""
        why = os.strerror(error.errno or errno.EIO).lower()
        return cls(f"{GENERATOR}{why}" if error.errno in _OWN else why)
