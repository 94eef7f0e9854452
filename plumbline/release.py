"""Whether a version is the declared one."""

from __future__ import annotations


def is_of(version: str, declared: str) -> bool:
    """Whether it is the declared version, or one that begins with it: v1.32.5+k3s1 is of v1.32.5 and of v1.32."""
    return version == declared or version.startswith((f"{declared}.", f"{declared}+"))
