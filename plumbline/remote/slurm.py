"""Slurm as a node of it sees it: munge, configuration, modules, and what the controllers and accounting say.

A part that cannot be read leaves its reason under `errors` and stops no other; each program has a time limit, since
Slurm's own are long. Programs run side by side.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import pwd
import re
import stat
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from plumbline.remote import slurm_json
from plumbline.remote.command import CommandError, run
from plumbline.remote.slurm_jobs import as_user, run_jobs
from plumbline.remote.types import Json

_MUNGE_S = 3.0
_REPLACED_S = 1.0
_NOBODY = "nobody"


def describe(request: Json, deadline: float) -> Json:
    """The parts that `request` has: key, config, folders, pidfile, modules, encode, decode, state, accounting, jobs."""
    parts: dict[str, Callable[[Any], Any]] = {
        "key": _key,
        "config": _config,
        "folders": _folders,
        "pidfile": _pidfile,
        "heartbeat": _heartbeat,
        "modules": _modules,
        "encode": _encode,
        "decode": _decode,
        "state": _state,
        "accounting": _accounting,
        "jobs": lambda asked: run_jobs(asked, deadline),
    }
    facts: Json = {"errors": {}}
    asked = [name for name in parts if request.get(name) is not None]
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        answers = {name: pool.submit(_guarded, parts[name], request[name]) for name in asked}
        for name, answer in answers.items():
            value, error = answer.result()
            if error is None:
                facts[name] = value
            else:
                facts["errors"][name] = error
    return facts


def _guarded(part: Callable[[Any], Any], asked: Any) -> tuple[Any, str | None]:
    try:
        return part(asked), None
    except CommandError as error:
        return None, str(error)[:300]
    except subprocess.TimeoutExpired as error:
        return None, f"{error.cmd[0]}: no answer in {error.timeout:g} s"
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        return None, f"{type(error).__name__}: {error}"[:300]


def _key(asked: Json) -> Json:
    """Whose the key of munge is, who may read it, and a digest that says nothing of it without this run's salt."""
    path = str(asked["path"])
    state = os.stat(path)
    with open(path, "rb") as file:
        digest = hmac.new(bytes.fromhex(asked["salt"]), file.read(), hashlib.sha256).hexdigest()
    try:
        owner = pwd.getpwuid(state.st_uid).pw_name
    except KeyError:
        owner = str(state.st_uid)
    return {"digest": digest, "owner": owner, "mode": f"{stat.S_IMODE(state.st_mode):04o}"}


def _config(path: str) -> Json:
    with open(path, "rb") as file:
        return {"digest": hashlib.sha256(file.read()).hexdigest()}


def _folders(asked: Json) -> Json:
    """By folder, why a user cannot go into it; empty where he can. Asked as that user, as the kernel sees it."""
    user = as_user(asked["user"])
    result = {}
    for folder in asked["folders"]:
        done = subprocess.run(
            ["ls", "-d", f"{folder}/."], capture_output=True, text=True, timeout=_MUNGE_S, check=False, **user
        )
        result[folder] = done.stderr.strip()[-200:] if done.returncode else ""
    return result


def _pidfile(unit: str) -> Json:
    """Where systemd expects the number of a unit's main process, and which process that is."""
    output = run("systemctl", "show", "--property=PIDFile", "--property=MainPID", "--", unit)
    shown = dict(line.partition("=")[::2] for line in output.splitlines())
    return {"path": os.path.realpath(shown.get("PIDFile") or "/"), "process": int(shown.get("MainPID") or 0)}


def _heartbeat(asked: Json) -> Json:
    """How long ago the controller in charge wrote into the state that all of them share, in seconds (null: never), and its folder."""
    folder = os.stat(asked["folder"])
    deadline = time.monotonic() + _REPLACED_S
    while True:
        try:
            age = time.time() - os.stat(os.path.join(asked["folder"], "heartbeat")).st_mtime
            return {"age_s": age, "folder": folder.st_ino}
        except FileNotFoundError:  # the controller takes the old one away before it puts the new one there
            if time.monotonic() > deadline:
                return {"age_s": None, "folder": folder.st_ino}
            time.sleep(0.05)


def _modules(asked: Json) -> Json:
    """By module, why it cannot be loaded in a new login shell; empty where it can. All in one shell, for its start costs."""
    script = "".join(
        f'(module load "{name}" >/dev/null && module -t list 2>&1 | grep -qE "^{name}(/|$)") 2>"$T" '
        f'&& echo "{name}|" || echo "{name}|$(tr "\\n" " " < "$T" | tail -c 160)|no"; '
        for name in asked["names"]
    )
    done = subprocess.run(
        ["bash", "--login", "-c", f"T=$(mktemp); {script} rm -f $T"],
        capture_output=True, text=True, timeout=float(asked["timeout"]), check=False, cwd="/", **as_user(asked["user"]),
    )  # fmt: skip
    found = {}
    for line in done.stdout.splitlines():
        name, _, rest = line.partition("|")
        if name in asked["names"]:
            found[name] = (rest.rpartition("|")[0].strip() or "it does not load") if rest.endswith("|no") else ""
    for name in asked["names"]:
        found.setdefault(name, f"no answer: {done.stderr.strip()[-160:]}")
    return found


def _encode(asked: bool) -> str:
    """A credential without content or rights: of nobody, and only root may decode it."""
    done = subprocess.run(
        ["munge", "--no-input", "--restrict-uid", "0", "--ttl", "60"],
        capture_output=True, text=True, timeout=_MUNGE_S, check=False, **as_user(_NOBODY),
    )  # fmt: skip
    if done.returncode != 0:
        raise CommandError(done.stderr.strip()[-200:] or "munge failed")
    return str(done.stdout).strip()


def _decode(credentials: dict[str, str]) -> Json:
    """What becomes of credentials of other nodes here: its status, and when it was made and read, by each one's clock."""
    with ThreadPoolExecutor(max(1, len(credentials))) as pool:
        return dict(zip(credentials, pool.map(_decoded, credentials.values()), strict=True))


def _decoded(credential: str) -> Json:
    done = subprocess.run(["unmunge"], input=credential, capture_output=True, text=True, timeout=_MUNGE_S, check=False)
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in done.stdout.splitlines())}
    status = told.get("STATUS") or done.stderr.strip()[-200:] or f"exit code {done.returncode}"
    return {
        "ok": done.returncode == 0,
        "status": status.replace("unmunge: ", ""),
        "encoded": _seconds(told.get("ENCODE_TIME", "")),
        "decoded": _seconds(told.get("DECODE_TIME", "")),
    }


def _seconds(text: str) -> int | None:
    """Unix time, which stands in brackets behind the written one."""
    found = re.search(r"\((\d+)\)$", text)
    return int(found[1]) if found else None


def _state(asked: Json) -> Json:
    """What the controllers say; `error` is why one question was not answered, `unread` which answers nobody understood.

    `limit` bounds each question, in seconds: Slurm itself would wait for each controller in turn.
    """
    end = time.monotonic() + float(asked["limit"])
    questions: dict[str, list[str]] = {
        "ping": ["scontrol", "ping"],
        "nodes": ["sinfo", "--json"],
        "partitions": ["scontrol", "--oneliner", "show", "partitions"],
        "config": ["scontrol", "show", "config"],
    }
    with ThreadPoolExecutor(len(questions)) as pool:
        answers = {name: pool.submit(_asked, command, float(asked["limit"])) for name, command in questions.items()}
        found = {name: answer.result() for name, answer in answers.items()}
    if found["ping"][1]:
        raise CommandError(found["ping"][1])
    result: Json = {"ping": found["ping"][0], "unread": {}}
    errors = {name: error for name, (_, error) in found.items() if error}
    read = {"nodes": lambda text: _nodes(text, end), "partitions": _partitions, "config": _settings}
    for name in [name for name in read if found[name][0]]:
        try:
            result[name] = read[name](found[name][0])
        except CommandError as error:
            errors[name] = str(error)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            result["unread"][name] = f"{type(error).__name__}: {error}"[:200]
    if _SLOW not in errors.get("nodes", _SLOW) and "partitions" in result and "config" in result:
        result["unread"]["nodes"] = errors.pop("nodes")  # the controllers do answer: these programs have no JSON to say
    result["error"] = next(iter(errors.values()), "")
    return result


def _nodes(text: str, end: float) -> list[Json]:
    """From what sinfo says; where it tells of no nodes, which it does not since 23.02, scontrol is asked."""
    told = slurm_json.nodes(text)
    if told is None:
        told = slurm_json.nodes(run("scontrol", "show", "nodes", "--json", timeout=max(0.5, end - time.monotonic())))
    if told is None:
        raise ValueError("neither sinfo nor scontrol tells of nodes")
    return told


def _partitions(text: str) -> list[dict[str, str]]:
    return [_pairs(line) for line in text.splitlines() if line.strip()]


def _settings(text: str) -> dict[str, str]:
    settings = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in settings if key.strip() in _CONFIG_KEYS}


_SLOW = "no answer in"
"""How plumbline.remote.command calls a program that did not end in time."""
_CONFIG_KEYS = frozenset(
    {"SlurmctldTimeout", "SlurmdTimeout", "SlurmctldPidFile", "StateSaveLocation", "ClusterName", "SLURM_VERSION"}
)


def _asked(command: list[str], limit: float) -> tuple[str, str]:
    try:
        return run(*command, timeout=limit, codes=(0, 1)), ""
    except CommandError as error:
        return "", str(error)


def _pairs(line: str) -> dict[str, str]:
    return dict(word.partition("=")[::2] for word in line.split() if "=" in word)


def _accounting(asked: Json) -> Json:
    """The clusters that accounting knows, and who may submit what there."""
    limit = float(asked["limit"])
    rows = ("Cluster", "ControlHost", "ControlPort")
    clusters = run("sacctmgr", "-n", "-P", "show", "cluster", f"format={','.join(rows)}", timeout=limit)
    columns = ("Cluster", "Account", "User", "MaxTRESPerJob")
    associations = run("sacctmgr", "-n", "-P", "show", "associations", f"format={','.join(columns)}", timeout=limit)
    return {
        "clusters": [dict(zip(rows, line.split("|"), strict=True)) for line in clusters.splitlines()],
        "associations": [dict(zip(columns, line.split("|"), strict=True)) for line in associations.splitlines()],
    }
