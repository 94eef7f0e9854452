"""Each way in which a bed file can be wrong is told by place, expectation and nearest word."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from plumbline.bed import Bed, BedError, load

Said = Callable[[str | bytes], list[str]]
TEXT = Path(__file__).with_name("small.yaml").read_text()
INVENTORIES = Path(__file__).parents[2] / "inventories"


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) >= 1, old
    return TEXT.replace(old, new, 1)


@pytest.mark.parametrize("name", ["lab.yaml", "tlsstress.yaml", "goldentooth.yaml"])
def test_the_committed_beds_load_at_once(name: str) -> None:
    began = time.perf_counter()

    bed = load(INVENTORIES / name)

    assert bed.path == INVENTORIES / name
    assert time.perf_counter() - began < 2, "0.05 s were measured; this only catches a blunder"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "bed.yaml:1:1: expected a bed that begins with version: 1, found an empty file"),
        ("# nothing\n", "bed.yaml:1:1: expected a bed that begins with version: 1, found an empty file"),
        ("- version: 1\n", "bed.yaml:1:1: expected a mapping of keys such as version, bed and nodes, found a list"),
        ("version: 1\nnodes: {a: [}\n", "bed.yaml:2:13: not YAML"),
        ("version: 1\nnodes:\n\ta: 1\n", "bed.yaml:3:1: a tab; indent with spaces"),
        (b"version: 1\nbed: caf\xe9\n", "bed.yaml:2:9: expected UTF-8 text, found byte 0xe9"),
        (b"version: 1\nbed: a\x00b\n", "bed.yaml:2:7: a character that YAML does not allow"),
        ("bed: lab\n", "version: the field version is missing; supported: 1"),
        ("version: 2\nbed: lab\n", "bed.yaml:1:10: version: expected 1, found 2; supported: 1"),
        ("version: 1\nversion: 1\n", "bed.yaml:2:1: version: the key stands here twice; first at bed.yaml:1:1"),
        ("version: 1\nbed: !secret x\n", "bed.yaml:2:6: the tag !secret; a bed file has no tags"),
        ("version: 1\n20: x\n", 'bed.yaml:2:1: 20: expected text as a key, found 20; write "20"'),
        ("version: 1\nbed: *a\n", "bed.yaml:2:6: not YAML"),
        ("version: 1\nbed: a\n---\nbed: b\n", "bed.yaml:3:1: not YAML"),
        ("[" * 1500, "nested too deep"),
    ],
)
def test_what_is_no_bed_at_all(said_of: Said, content: str | bytes, said: str) -> None:
    assert any(said in line for line in said_of(content))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "mtu: 9216",
            "mut: 9216",
            "bed.yaml:10:42: networks.agents.mut: the key mut is unknown here; did you mean mtu?",
        ),
        (
            "mtu: 9216",
            "mtu: 92160",
            "bed.yaml:10:47: networks.agents.mtu: expected a number of at most 9216, found 92160",
        ),
        ("mtu: 9216", "mtu: big", 'networks.agents.mtu: expected a whole number, found "big"'),
        ("vlan: 10,", "vlan: true,", "networks.agents.vlan: expected a whole number, found true"),
        ("oobi: 10.9.0.1", "oobi: 10", "nodes.one.oobi: expected an IPv4 address such as 10.0.0.1, found 10"),
        ("oobi: 10.9.0.1", "oobi: 10.9.0.999", "nodes.one.oobi: expected an IPv4 address"),
        ("cidr: 10.1.0.0/24", "cidr: 10.1.0.1/24", "networks.agents.cidr: expected an IPv4 network such as"),
        ("pool: 10.1.0.10-10.1.0.20", "pool: 10.1.0.20-10.1.0.10", "expected a range that ends after it begins"),
        ("trunk: [10, 20]", "trunk: [10, 20-x]", "nodes.one.trunk: expected numbers and ranges such as [99, 101-120]"),
        ("trunk: [10, 20]", "trunk: 1-99999999", "nodes.one.trunk: expected numbers of at most 65535"),
        ("role: web, oobi", "oobi", "bed.yaml:6:3: nodes.one.role: the field role is missing; what the node is for"),
        ("role: web, oobi", "rol: web, oobi", "nodes.one.rol: the key rol is unknown here; did you mean role?"),
        (
            "labels: {role: web}",
            "labels: {role: true}",
            "nodes.one.labels.role: expected text, found true; put it in quotes",
        ),
        ("lifetime: 90d", "lifetime: ninety", "expected a duration such as 90d, 12h, 30m, 10s or 500ms"),
        ("secret: work/origin-tls", "secret: origin-tls", "expected a reference such as web-agents/ngfw-ca"),
        ("udp_443: refused", "udp_443: refsed", 'found "refsed"; did you mean refused?'),
        ("nodes:\n  one:", "nodes:\n  One:", "nodes.One: expected a name of a-z, 0-9, - and ."),
        ("same_secret:\n", "same_secret: 1\nx:\n", "same_secret: expected a list, found 1"),
        ("ip_forward: 1", "ip_forward: [1]", "expected a whole number or text, found a list"),
    ],
)
def test_a_wrong_value_is_told_by_its_place(said_of: Said, old: str, new: str, said: str) -> None:
    assert any(said in line for line in said_of(changed(old, new)))


def test_a_misspelt_key_is_not_also_a_missing_one(said_of: Said) -> None:
    assert len(said_of(changed("role: web, oobi", "rol: web, oobi"))) == 1


def test_all_errors_of_a_file_are_told_at_once_by_line(said_of: Said) -> None:
    lines = said_of(
        changed("vlan: 20", "vlan: 0").replace("udp_443: refused", "udp_443: no").replace("mode: Read", "mode: R")
    )

    assert [line.split(":")[1] for line in lines] == ["11", "33", "34"]


def test_copies_of_one_line_are_one_error(said_of: Said) -> None:
    lines = said_of(TEXT.replace("host:\n", '  p-{n:1-20}: {vlan: "{100+n}", cidr: "10.3.{n}.0/99"}\nhost:\n'))

    assert len(lines) == 1
    assert lines[0].startswith("bed.yaml:12:39: networks.p-1.cidr: expected an IPv4 network")
    assert lines[0].endswith("(in 20 copies of this line)")


def test_files_that_cannot_be_read(folder: Path) -> None:
    (folder / "lab.yaml").touch()
    cases = {"lap.yaml": "no such file; did you mean lab.yaml?", str(folder): "found a folder", "/dev/null": "a device"}
    for name, said in cases.items():
        with pytest.raises(BedError, match=said.replace("?", r"\?")):
            load(name)


def test_a_file_without_permission_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BedError, match=r"small\.yaml: cannot be read: Permission denied"):
        load("small.yaml")


def test_yaml_1_2_is_read(small_with: Callable[[str], Bed]) -> None:
    bed = small_with(
        "workloads: {files: {on: {role: web}}}\nwaivers: [{check: a.b, who: me, why: it is Sunday, until: 2030-01-01}]"
    )

    assert bed.workloads["files"].on == {"role": "web"}
    assert bed.waivers[0].until == "2030-01-01"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("waivers: [{check: a.b, who: me, why: it is Sunday, until: 2027-06-31}]", "expected a day such as 2027-06-30"),
        ("budgets: {slurm_awnser: 4s}", "nobody reads slurm_awnser; did you mean slurm_answer?"),
        ("budgets: {consul_failover: 20s, gone: 5s}", ""),
    ],
)
def test_a_slip_that_would_be_kept_without_a_word_is_told(
    small_with: Callable[[str], Bed], text: str, said: str
) -> None:
    with pytest.raises(BedError, match=re.escape(said)) if said else nullcontext():
        small_with(text)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("networks.agents", "small.yaml:10"),
        ("networks.agents.mtu", "small.yaml:10"),
        ("host.0.sysctls.net.ipv4.ip_forward", "small.yaml:13"),
        ("networks.oobi.mtu", "small.yaml:9"),
        ("same_secret.0.values.1", "small.yaml:31"),
        ("", "small.yaml:1"),
    ],
)
def test_every_value_knows_its_line(folder: Path, path: str, place: str) -> None:
    assert load("small.yaml").where(path) == place


def test_an_expanded_copy_knows_the_line_it_was_written_on() -> None:
    bed = load(INVENTORIES / "lab.yaml")

    assert bed.where("networks.persona-7.cidr") == bed.where("networks.persona-20")


@pytest.mark.parametrize("content", ["a: &a [*a]", "version: 1\na: &a {b: *a}"])
def test_an_alias_that_holds_itself_is_refused(said_of: Said, content: str) -> None:
    assert "nested too deep" in said_of(content)[0]


def test_a_bed_cannot_be_changed_and_copies_know_their_places(folder: Path) -> None:
    bed = load("small.yaml")

    with pytest.raises(ValueError, match="frozen"):
        bed.title = "other"  # type: ignore[misc]
    assert bed == load("small.yaml")
    assert bed.model_copy(update={"title": "x"}).where("networks.agents") == "small.yaml:10"
