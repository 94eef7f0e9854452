"""What is said of a fault file: file, line and column, and the nearest valid word."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos import fault as faults
from plumbline.bed import BedError
from tests.chaos.scratch import Scratch

GOOD = """fault: broken
stands_for: seed 000, chapter 13
summary: a file is not as it was
layer: host
subject: "node:ucs-1"
inject:
  - scratch.file: {path: /tmp/one, text: changed}
red: [host.it]
"""


def said(scratch: Scratch, text: str, name: str = "broken") -> str:
    file = scratch.folder / f"{name}.yaml"
    file.write_text(text)
    with pytest.raises(BedError) as raised:
        faults.load(file, scratch.bed(), ["host.it", "host.answers"])
    return str(raised.value)


def test_a_good_file_is_a_fault(scratch: Scratch) -> None:
    file = scratch.folder / "broken.yaml"
    file.write_text(GOOD)

    fault = faults.load(file, scratch.bed(), ["host.it"])

    assert (fault.subject, fault.red, fault.path) == (("node:ucs-1",), ("host.it",), file)
    assert fault.time_to_live.total_seconds() == 120
    assert fault.inject[0].action == "scratch.file"


@pytest.mark.parametrize(
    ("before", "after", "place", "hint"),
    [
        ("fault: broken", "fault: other", "broken.yaml:1:8: fault: expected broken, as the file is called", '"other"'),
        ("summary:", "sumary:", "broken.yaml:3:1: sumary: the key sumary is unknown here", "did you mean summary?"),
        ("layer: host", "layer: hots", "broken.yaml:4:8: layer: ", "did you mean host?"),
        ("[host.it]", "[host.ti]", "broken.yaml:8:7: red: expected the id of a check", "did you mean host.it?"),
        ("scratch.file", "scratch.fil", "broken.yaml:7:5: inject.0.scratch.fil: ", "did you mean scratch.file?"),
        ("text:", "txt:", "broken.yaml:7:36: inject.0.scratch.file.txt: there is no such argument", "text?"),
        ("/tmp/one", "/etc/one", "broken.yaml:7:26: inject.0.scratch.file.path: ", "a path below"),
        ('"node:ucs-1"', "ucs-1", "broken.yaml:5:10: subject", "ucs-1"),
        ("red: [host.it]", "red: []", "broken.yaml:8:6: red: expected at least 1", ""),
        ("red: [host.it]", "", "broken.yaml:1:1: red: the field red is missing", ""),
        ("host.it]", "host.it]\ntime_to_live: 2 minutes", "broken.yaml:9:15: time_to_live: expected a duration", ""),
    ],
)
def test_a_slip_is_told_with_its_place(scratch: Scratch, before: str, after: str, place: str, hint: str) -> None:
    told = said(scratch, GOOD.replace(before, after))

    assert place in told
    assert hint in told
    assert "\n" not in told.strip()


def test_no_mapping_is_no_fault(scratch: Scratch) -> None:
    assert "expected a fault" in said(scratch, "- a\n")


def test_two_faults_of_one_name_are_told(tmp_path: Path) -> None:
    for folder in ("host", "network"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "broken.yaml").write_text(GOOD.replace("layer: host", f"layer: {folder}"))

    with pytest.raises(BedError, match=r"network/broken\.yaml.*stands in .*host/broken\.yaml too"):
        faults.load_all(folder=tmp_path)


def test_an_unknown_fault_is_told_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(GOOD)

    with pytest.raises(BedError, match=r"did you mean broken\?"):
        faults.find("brocken", folder=tmp_path)
