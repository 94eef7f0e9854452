"""Other programs, each with a time limit."""

from __future__ import annotations

import json
import subprocess
from typing import Any

_LIMIT_S = 4.0


class CommandError(Exception):
    """A program that is missing, failed, or did not end in time."""


def run(*command: str, stdin: str = "", timeout: float = _LIMIT_S, codes: tuple[int, ...] = (0,)) -> str:
    """The standard output of a command; CommandError where it ends with a code that is not among `codes`."""
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout, errors="replace", check=False
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"{command[0]}: no answer in {timeout:g} s") from None
    except OSError as error:
        raise CommandError(f"{command[0]}: {error.strerror}") from None
    if done.returncode not in codes:
        raise CommandError(f"{' '.join(command[:4])}: exit code {done.returncode}: {done.stderr.strip()[-200:]}")
    return done.stdout


def ip(*queries: str) -> list[Any]:
    """The answers of `ip -j -d` to several queries, such as "route show table all", in one call."""
    output = run("ip", "-j", "-d", "-force", "-batch", "-", stdin="".join(f"{q}\n" for q in queries), codes=(0, 1))
    decoder, position, answers = json.JSONDecoder(), 0, []
    while position < len(output):
        if output[position].isspace():
            position += 1
            continue
        answer, position = decoder.raw_decode(output, position)
        answers.append(answer)
    if len(answers) != len(queries):
        raise CommandError(f"ip: {len(answers)} answers to {len(queries)} questions")
    return answers
