"""The five outcomes of a check, and what is told of each."""

from __future__ import annotations

import pytest

from tests.gate.tiny import Tiny


@pytest.mark.parametrize(
    ("body", "outcome", "found"),
    [
        ("pass", "passed", ""),
        ("assert 1 == 2, found('two', expected='one')", "failed", "two"),
        ("assert 1 == 2", "failed", "assert 1 == 2"),
        ("pytest.fail('no good')", "failed", "no good"),
        ("raise Unknown('no answer in 3 s', cause='node:ucs-2')", "unknown", "no answer in 3 s"),
        ("{}['absent']", "unknown", "the check could not end: KeyError: 'absent'"),
        ("pytest.skip('not today')", "unknown", "the check left itself out: not today; only not_applicable may"),
        ("time.sleep(9)", "unknown", "the check could not end: Timeout"),
    ],
)
def test_each_way_to_end_is_one_outcome(tiny: Tiny, body: str, outcome: str, found: str) -> None:
    tiny.suite(f"@check('host.it', **ABOUT)\n@pytest.mark.timeout(1)\ndef test_it():\n    {body}\n")

    run = tiny.run()

    assert run.check("it")["outcome"] == outcome
    assert run.check("it")["found"].startswith(found.removesuffix(" may"))
    assert run.code == (0 if outcome == "passed" else 1)


def test_what_was_expected_names_its_place_in_the_bed_file(tiny: Tiny) -> None:
    tiny.suite(
        "@check('host.it', **ABOUT)\n@for_each('node', nodes)\n"
        "def test_it(node):\n    assert node == 'ucs-1', found('another', expected='ucs-1')\n"
    )

    check = tiny.run("-k", "ucs-2").check("it")

    assert check["expected"] == "ucs-1 (bed.yaml:7)"
    assert check["remedy"] == "mend ucs-2"
    assert check["test"].endswith("test_it[ucs-2]")


def test_an_unknown_fixture_makes_its_checks_unknown(tiny: Tiny) -> None:
    tiny.suite(
        "@pytest.fixture\ndef answer():\n    raise Unknown('nobody is there', cause='node:ucs-1')\n"
        "@check('host.it', **ABOUT)\ndef test_it(answer): pass\n"
    )

    check = tiny.run().check("it")

    assert (check["outcome"], check["cause"]) == ("unknown", "node:ucs-1")


def test_what_the_bed_cannot_show_is_not_applicable_and_says_why(tiny: Tiny) -> None:
    tiny.bed('not_applicable:\n  - {check: "host.*", subject: "node:ucs-2", why: there is no such kernel}')
    tiny.suite("@check('host.it', **ABOUT)\n@for_each('node', nodes)\ndef test_it(node): assert node != 'ucs-2'\n")

    run = tiny.run()

    assert run.outcomes() == {"it ucs-1": "passed", "it ucs-2": "not-applicable"}
    assert "there is no such kernel (bed.yaml:12)" in [c["found"] for c in run.report["checks"]]
    assert run.code == 0


def test_a_waiver_holds_until_its_last_day(tiny: Tiny) -> None:
    tiny.bed(
        "waivers:\n"
        '  - {check: host.it, subject: "node:ucs-1", who: ada, why: waits for a spare part, until: "2999-12-31"}\n'
        '  - {check: host.it, subject: "node:ucs-2", who: ada, why: waits for a spare part, until: "2020-01-01"}'
    )
    tiny.suite("@check('host.it', **ABOUT)\n@for_each('node', nodes)\ndef test_it(node): assert False\n")

    run = tiny.run()

    assert run.outcomes() == {"it ucs-1": "waived", "it ucs-2": "failed"}
    assert "the waiver has expired (waived by ada until 2020-01-01" in run.out
    assert run.last_line.startswith("NO-GO")


def test_a_plain_test_of_a_user_is_a_check_too(tiny: Tiny) -> None:
    tiny.suite("@pytest.mark.minor\ndef test_the_lamp_is_green(): assert 'red' == 'green'\n", layer="lamps")

    check = tiny.run("suites/lamps", "-m", "lamps and minor").check("the lamp is green")

    assert (check["id"], check["severity"], check["outcome"]) == ("lamps.the-lamp-is-green", "minor", "failed")


def test_the_worst_of_a_check_and_its_clean_up_counts(tiny: Tiny) -> None:
    tiny.suite(
        "@pytest.fixture\ndef job():\n    yield\n    raise OSError('it is still there')\n"
        "@check('host.it', **ABOUT)\ndef test_it(job): pass\n"
    )

    assert tiny.run().check("it")["found"] == "the check could not end in teardown: OSError: it is still there"
