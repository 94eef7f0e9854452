"""Slurm: what its programs say is read right, jobs are followed to their end and cleared away, silence has its reason."""

from __future__ import annotations

import json
import os
import pwd
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from plumbline.bed import load
from plumbline.collect import slurm_jobs
from plumbline.facts import Facts
from plumbline.facts.slurm import SlurmFacts, expanded
from plumbline.facts.source import Source, write_json
from plumbline.outcome import Unknown
from plumbline.remote import slurm as remote
from plumbline.remote import slurm_jobs as jobs
from plumbline.remote import slurm_json

BED = load(Path(__file__).parents[1] / "lab" / "beds" / "slurm.yaml")
ME = pwd.getpwuid(os.geteuid()).pw_name
NODE = {
    "name": "jast", "state": "idle", "state_flags": [], "reason": "", "reason_set_by_user": None, "real_memory": 1024,
    "cpus": 2, "slurmd_version": "22.05.8", "address": "198.18.50.19", "partitions": ["general"],
}  # fmt: skip
PING = "Slurmctld(primary) at bettley is UP\nSlurmctld(backup) at cargyll is DOWN\n"
PARTITION = "PartitionName=general Default=YES MaxTime=UNLIMITED Nodes=erenford,jast State=UP\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that come before all others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def put(folder: Path, name: str, text: str) -> None:
    """A program of that name that does what a shell script says."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def facts_of(folder: Path, submit: dict[str, Any], **others: dict[str, Any]) -> SlurmFacts:
    """The facts of a run in which the node that submits said this, and other nodes that."""
    write_json(folder / "collect.json", {"process": os.getpid(), "until": time.time() + 5, "active": True, "hosts": []})
    nodes = {name: {"errors": {}} for name in BED.slurm.nodes} | {"dalt": {"errors": {}, **submit}} | others
    Source("ok", facts={"nodes": nodes, "credentials": {}}).write(folder / "slurm.json")
    return SlurmFacts(Facts(folder, BED), BED)


@pytest.mark.parametrize(
    ("short", "names"),
    [
        ("jast", ("jast",)),
        ("n[1-3,07],m", ("n1", "n2", "n3", "n07", "m")),
        ("n[08-10]-a", ("n08-a", "n09-a", "n10-a")),
        ("", ()),
        ("(null)", ()),
    ],
)
def test_names_in_short_are_written_out(short: str, names: tuple[str, ...]) -> None:
    assert expanded(short) == names


def test_what_controllers_say_is_read(programs: Path, tmp_path: Path) -> None:
    put(
        programs,
        "scontrol",
        f'case "$*" in ping) printf "{PING}";; *partitions) printf "{PARTITION}";; *) echo "SlurmdTimeout = 10 sec";; esac',
    )
    put(programs, "sinfo", f"cat <<'END'\n{json.dumps({'nodes': [NODE]})}\nEND")
    told = remote.describe({"state": {"limit": 4}}, time.monotonic() + 5)
    slurm = facts_of(tmp_path, told)

    assert slurm.controllers == {"bettley": "UP", "cargyll": "DOWN"}
    assert slurm.node("jast").up
    assert slurm.partition("general").nodes == ("erenford", "jast")
    assert slurm.setting("SlurmdTimeout") == "10 sec"
    assert not slurm.silence


def test_a_controller_that_does_not_answer_is_waited_for_no_longer_than_asked(programs: Path, tmp_path: Path) -> None:
    for name in ("scontrol", "sinfo"):
        put(programs, name, "exec sleep 20")
    started = time.monotonic()
    told = remote.describe({"state": {"limit": 0.3}}, time.monotonic() + 5)
    slurm = facts_of(tmp_path, told)

    assert time.monotonic() - started < 2
    assert "no answer in 0.3 s" in slurm.silence
    with pytest.raises(Unknown) as caught:
        slurm.node("jast")
    assert caught.value.cause == "slurm:cluster"


LATER = {
    "name": "jast", "state": ["IDLE", "DRAIN"], "reason": "", "reason_set_by_user": "", "cpus": 2, "version": "23.11.4",
    "real_memory": {"set": True, "infinite": False, "number": 1024},
}  # fmt: skip
COUNTS = {"sinfo": [{"nodes": {"total": 1, "nodes": ["jast"]}, "node": {"state": ["IDLE"]}}]}
SCONTROL = """case "$*" in ping) printf "{ping}";; *partitions) printf "{partition}";; *--json) cat <<'END'
{nodes}
END
;; *) echo "SlurmdTimeout = 10 sec";; esac"""


def later(programs: Path, sinfo: str, nodes: object) -> dict[str, Any]:
    """What a controller of a later release says, to whom sinfo and `scontrol show nodes` say this."""
    put(programs, "scontrol", SCONTROL.format(ping=PING, partition=PARTITION, nodes=json.dumps(nodes)))
    put(programs, "sinfo", sinfo)
    return remote.describe({"state": {"limit": 4}}, time.monotonic() + 5)


def test_a_later_release_tells_of_its_nodes_elsewhere(programs: Path, tmp_path: Path) -> None:
    slurm = facts_of(tmp_path, later(programs, f"echo '{json.dumps(COUNTS)}'", {"nodes": [LATER]}))
    node = slurm.node("jast")

    assert (node.state, node.flags, node.memory, node.version) == ("IDLE", {"DRAIN"}, 1024, "23.11.4")
    assert not slurm.silence


@pytest.mark.parametrize(
    ("sinfo", "nodes"),
    [
        (f"echo '{json.dumps(COUNTS)}'", {"nodes": [{"name": "jast"}]}),
        (f"echo '{json.dumps(COUNTS)}'", {"knots": []}),
        ("echo rubbish", {}),
        ("exit 1", {}),
        ("echo 'sinfo: fatal: no JSON' >&2; exit 2", {}),
    ],
)
def test_an_answer_that_nobody_understands_is_no_silence_of_the_controllers(
    programs: Path, tmp_path: Path, sinfo: str, nodes: object
) -> None:
    slurm = facts_of(tmp_path, later(programs, sinfo, nodes))

    with pytest.raises(Unknown, match="of its nodes cannot be read"):
        _ = slurm.silence
    with pytest.raises(Unknown, match="did not say its nodes"):
        slurm.node("jast")
    assert slurm.partition("general").nodes == ("erenford", "jast")


def test_a_question_that_is_answered_too_late_is_silence(programs: Path, tmp_path: Path) -> None:
    put(programs, "scontrol", f"printf '{PING}'")
    put(programs, "sinfo", "exec sleep 9")
    told = remote.describe({"state": {"limit": 0.3}}, time.monotonic() + 5)

    assert "no answer in 0.3 s" in facts_of(tmp_path, told).silence


@pytest.mark.parametrize(
    ("state", "flags", "up_registered_drained"),
    [
        ("idle", [], (True, True, False)),
        ("mixed", ["DRAIN"], (True, True, True)),
        ("idle", ["INVALID_REG"], (True, False, False)),
        ("idle", ["NOT_RESPONDING"], (False, True, False)),
        ("down", [], (False, True, False)),
        ("unknown", [], (False, True, False)),
    ],
)  # fmt: skip
def test_each_state_of_a_node_is_its_own(
    tmp_path: Path, state: str, flags: list[str], up_registered_drained: tuple[bool, bool, bool]
) -> None:
    told = {"ping": PING, "nodes": [{**NODE, "state": state, "state_flags": flags}], "error": "", "unread": {}}
    node = facts_of(tmp_path, {"state": told}).node("jast")

    assert (node.up, node.registered, node.drained) == up_registered_drained


def test_a_node_that_did_not_answer_is_the_cause(tmp_path: Path) -> None:
    slurm = facts_of(tmp_path, {}, jast={"outcome": "timeout", "error": "no answer within 8 s"})

    for ask in (
        lambda: slurm.key("jast"),
        lambda: slurm.credential("jast", "dalt"),
        lambda: slurm.encode_error("jast"),
    ):
        with pytest.raises(Unknown) as caught:
            ask()
        assert caught.value.cause == "node:jast"


def test_a_key_is_compared_by_a_digest_that_only_one_run_knows(tmp_path: Path) -> None:
    key = tmp_path / "munge.key"
    key.write_bytes(b"k" * 1024)
    key.chmod(0o640)
    one, other = (remote.describe({"key": {"path": str(key), "salt": salt}}, 0)["key"] for salt in ("00", "01"))

    assert one["digest"] != other["digest"]
    assert (one["owner"], one["mode"]) == (ME, "0640")


def test_a_file_that_is_not_there_is_told_and_stops_nothing(tmp_path: Path) -> None:
    told = remote.describe({"config": str(tmp_path / "none"), "heartbeat": {"folder": str(tmp_path)}}, 0)

    assert "FileNotFoundError" in told["errors"]["config"]
    assert told["heartbeat"]["age_s"] is None


RECORDS = [
    {"job_id": 7, "state": {"current": "COMPLETED"}, "exit_code": {"return_code": 0}, "account": "gate"},
    {"job_id": 7, "state": {"current": ["COMPLETED"]}, "account": "gate", "array": {"job_id": 0, "task_id": {"set": False}},
     "exit_code": {"status": ["SUCCESS"], "return_code": {"set": True, "infinite": False, "number": 0}}},
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=["22.05", "23.11"])
def test_a_record_is_read_whatever_release_wrote_it(record: dict[str, Any]) -> None:
    [(ids, read)] = slurm_json.records(json.dumps({"jobs": [record]}))

    assert "7" in ids
    assert (read["state"], read["exit"], read["account"]) == ("COMPLETED", 0, "gate")


def test_records_that_cannot_be_read_stop_no_job(programs: Path, tmp_path: Path) -> None:
    put(programs, "sbatch", "echo 7")
    put(programs, "squeue", 'echo "7|7|COMPLETED|None|jast"')
    put(programs, "sacct", "echo '{\"jobs\": [7]}'")
    put(programs, "scancel", "true")
    wanted = [{"name": "single", "script": "true", "arguments": [], "wanted": "end"}]
    request = {"user": ME, "folder": str(tmp_path), "limit": 5, "accounting": True, "jobs": wanted}
    told = jobs.run_jobs(request, time.monotonic() + 5)

    assert "cannot be read" in told["unrecorded"]
    assert told["jobs"]["single"]["tasks"][0]["state"] == "COMPLETED"


def test_all_jobs_are_submitted_followed_and_cleared_away(programs: Path, tmp_path: Path) -> None:
    shared = tmp_path / "jobs"
    shared.mkdir()
    put(programs, "sbatch", SBATCH.format(python=sys.executable))
    put(programs, "squeue", 'printf "7|7|COMPLETED|None|jast\\n8|8|PENDING|AssocMaxCpuPerJobLimit|\\n"')
    put(programs, "sacct", f"cat <<'END'\n{json.dumps({'jobs': RECORDS[:1]})}\nEND")
    put(programs, "scancel", f'echo "$@" > {tmp_path}/cancelled')
    wanted = [
        {"name": "single", "script": "echo it", "arguments": [], "wanted": "end"},
        {"name": "over", "script": "true", "arguments": [], "wanted": "wait"},
        {"name": "too-large", "script": "true", "arguments": [], "wanted": "refused"},
    ]
    request = {"user": ME, "folder": str(shared), "limit": 5, "accounting": True, "jobs": wanted}
    told = jobs.run_jobs(request, time.monotonic() + 5)["jobs"]

    assert (told["single"]["id"], told["single"]["output"]) == ("7", "it\n")
    assert told["single"]["records"][0]["account"] == "gate"
    assert told["over"]["tasks"][0]["reason"] == "AssocMaxCpuPerJobLimit"
    assert "Memory specification can not be satisfied" in told["too-large"]["error"]
    assert sorted((tmp_path / "cancelled").read_text().split()) == ["--quiet", "7", "8"]
    assert list(shared.iterdir()) == []


SBATCH = """
for word; do case $word in --output=*) out=${{word#--output=}};; --job-name=*) name=${{word#--job-name=plumbline-}};; esac; done
case $name in
  single) sh > "$(echo "$out" | sed s/%a/4294967294/)"; echo "7;lab";;
  over) echo 8;;
  *) echo "sbatch: error: Memory specification can not be satisfied" >&2; exit 1;;
esac
"""


def test_jobs_that_do_not_end_are_left_at_their_deadline_and_cancelled(programs: Path, tmp_path: Path) -> None:
    put(programs, "sbatch", "echo 7")
    put(programs, "squeue", 'echo "7|7|PENDING|Resources|"')
    put(programs, "scancel", f"touch {tmp_path}/cancelled")
    wanted = [{"name": "single", "script": "true", "arguments": [], "wanted": "end"}]
    request = {"user": ME, "folder": str(tmp_path), "limit": 0.6, "jobs": wanted}
    started = time.monotonic()
    told = jobs.run_jobs(request, time.monotonic() + 5)["jobs"]["single"]

    assert time.monotonic() - started < 3
    assert slurm_jobs.late({**told, "wanted": "end"})
    assert (tmp_path / "cancelled").exists()


def test_every_job_of_the_request_can_be_told_by_its_name() -> None:
    assert BED.slurm is not None
    asked = slurm_jobs.request(BED.slurm, 10)["jobs"]

    assert [job["name"] for job in asked] == [
        "single", "array", "mpi", "too-large", "stranger", "over", "size-small", "size-large",
    ]  # fmt: skip
    assert all("--account=gate" in job["arguments"] for job in asked)
