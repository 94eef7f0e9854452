"""The Internet checksum (RFC 1071)."""

from __future__ import annotations

import struct


def checksum(data: bytes) -> int:
    """The ones' complement of the ones' complement sum of 16-bit words."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1])) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)
