"""The files that a run leaves."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from plumbline.redact import HIDDEN
from tests.gate.tiny import ROOT, Ended, Tiny

SECRET = "correct-horse-battery"
SUITE = """
@check('host.it', **ABOUT)
@for_each('node', nodes)
def test_the_node_is_up(node):
    print('password=' + os.environ['COMMUNITY'])
    said = f"<b>down</b> with {os.environ['COMMUNITY']} and Bearer abcdefgh12345"
    assert node != 'ucs-1', found(said, expected='up & "running"')

@check('network.it', **ABOUT)
@for_each('vlan', vlans)
def test_the_vlan_is_there(vlan): raise Unknown(os.environ['COMMUNITY'], cause='node:ucs-1')
"""


@pytest.fixture
def run(tiny: Tiny) -> Ended:
    """A run with a failure, unknowns, and a secret in all of them."""
    tiny.bed("access: {credentials: {community: '${env:COMMUNITY}'}}")
    tiny.suite(SUITE)
    return tiny.run(COMMUNITY=SECRET)


def test_gate_json_is_as_its_schema_says(run: Ended) -> None:
    schema = json.loads((ROOT / "docs" / "gate.schema.json").read_text(encoding="utf-8"))

    Draft202012Validator(schema).validate(run.report)


def test_gate_json_of_a_run_that_was_aborted_is_too(tiny: Tiny) -> None:
    tiny.write("bed.yaml", "version: 2")
    schema = json.loads((ROOT / "docs" / "gate.schema.json").read_text(encoding="utf-8"))

    Draft202012Validator(schema).validate(tiny.run().report)


def test_no_secret_is_written_or_printed(run: Ended) -> None:
    texts = [run.out, *(file.read_text(encoding="utf-8") for file in run.folder.iterdir())]

    for text in texts:
        assert SECRET not in text
        assert "abcdefgh12345" not in text


def test_the_name_of_a_file_is_no_secret_and_what_stands_in_its_place_is(tiny: Tiny) -> None:
    tiny.bed("access: {kubeconfig: '${env:PLACE}', context: '${file:key}', ssh: {config: '${env:COMMUNITY}'},\n"
             "  credentials: {community: '${env:COMMUNITY}'}}")  # fmt: skip
    tiny.write("key", "two lines\nof it\n")
    tiny.suite(
        "@check('host.it', **ABOUT)\ndef test_it(): raise Unknown(' and '.join(map(os.environ.get, ('PLACE', 'COMMUNITY'))))"
    )

    run = tiny.run(PLACE="/no/such/kubeconfig", COMMUNITY=SECRET)

    assert run.check("it")["found"] == f"/no/such/kubeconfig and {HIDDEN}"


def test_a_secret_in_a_file_is_one_too(tiny: Tiny) -> None:
    tiny.bed("access: {credentials: {community: '${file:community}'}}")
    tiny.write("community", SECRET + "\n")
    tiny.suite(f"raise OSError('{SECRET}')\n")

    run = tiny.run()

    assert run.code == 2
    assert SECRET not in (run.folder / "gate.json").read_text(encoding="utf-8")


def test_gate_html_is_one_file_that_starts_with_the_verdict(run: Ended) -> None:
    page = (run.folder / "gate.html").read_text(encoding="utf-8")

    assert '<p class="word">NO-GO</p>' in page
    assert "&lt;b&gt;down&lt;/b&gt;" in page
    assert "<b>down" not in page
    assert "1 finding, worst first" in page
    assert not re.search(r'<(?:link|script|img)[^>]+(?:href|src)="[^"]', page)
    assert not re.search(r"url\(['\"]?http|@import", page)


def test_junit_has_titles_that_people_read(run: Ended) -> None:
    suite = ElementTree.parse(run.folder / "junit.xml").getroot()[0]

    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "2")
    assert {case.get("name") for case in suite} >= {"the node is up [ucs-1]", "the vlan is there [k6]"}
    assert suite[0].get("classname") == "host.it"


def test_the_textfile_is_what_a_node_exporter_reads(run: Ended) -> None:
    line = re.compile(r'[a-z_]+\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\} -?[0-9.e+]+|# (HELP|TYPE) [a-z_]+ .+')
    text = (run.folder / "gate.prom").read_text(encoding="utf-8")

    assert all(line.fullmatch(each) for each in text.splitlines())
    assert f'plumbline_verdict{{bed="{run.report["bed"]}",verdict="no-go"}} 1' in text


def test_the_terminal_tells_the_cause_once(run: Ended) -> None:
    assert run.out.count("what follows") == 1
    assert "2 checks that stand on it (network)" in run.out
    assert run.last_line.startswith("NO-GO · ")
