"""Whatever bytes stand in a bed file or an inventory, the answer is a bed or a BedError that names a place."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from plumbline.bed import BedError, load
from plumbline.bed.consistency import inconsistencies

LAB = (Path(__file__).parents[2] / "inventories" / "lab.yaml").read_bytes()
SMALL = Path(__file__).with_name("small.yaml").read_bytes()
HOSTS = b"[web]\nweb-[01:03] ansible_host=10.9.0.1 role=web labels='{\"a\": 1}'\n[all:vars]\nansible_user=root\n"
SIGNS = b"{}[]:,&*!|>%@`'\"#-?\t\n\r \x00\xff\xc3019az"


def broken(data: bytes, dice: random.Random) -> bytes:
    """A few bytes flipped, replaced, removed, doubled or cut off."""
    mutable = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(mutable))
        match dice.randrange(5):
            case 0:
                mutable[at] ^= 1 << dice.randrange(8)
            case 1:
                mutable[at] = dice.choice(SIGNS)
            case 2:
                del mutable[at : at + dice.randint(1, 40)]
            case 3:
                mutable[at:at] = mutable[at : at + dice.randint(1, 40)]
            case 4:
                mutable.insert(at, dice.choice(SIGNS))
        if not mutable:
            return b""
    return bytes(mutable)


def said_of(file: Path) -> str:
    """What is said of a bed file; "" where it is right. Anything but a BedError goes through and fails the test."""
    try:
        list(inconsistencies(load(file)))
    except BedError as error:
        return str(error) or "nothing"
    return ""


@pytest.mark.parametrize("seed", range(12))
def test_broken_beds(tmp_path: Path, seed: int) -> None:
    dice, file = random.Random(seed), tmp_path / "bed.yaml"
    for data in [LAB] * 3 + [SMALL] * 12:
        file.write_bytes(broken(data, dice))
        said = said_of(file)

        assert not said or said.startswith(str(file))


@pytest.mark.parametrize("seed", range(4))
def test_broken_inventories(tmp_path: Path, seed: int) -> None:
    dice, file = random.Random(seed), tmp_path / "bed.yaml"
    file.write_text("version: 1\nbed: b\nrealised_by: hardware\nnetworks: {}\nhosts: {ansible: hosts}\n")
    for _ in range(25):
        (tmp_path / "hosts").write_bytes(broken(HOSTS, dice))

        assert said_of(file) != "nothing"
