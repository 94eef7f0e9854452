"""`python -m chaos.reference`: docs/actions.md, the reference of all actions, from what they say of themselves."""

from __future__ import annotations

import inspect
from pathlib import Path

from chaos.actions import words
from chaos.call import Arguments, actions

_OWN = ("guarded", "undo", "uid")
"""Arguments that only undo calls have."""


def text() -> str:
    """The whole page."""
    parts = [
        "# Actions\n",
        "What a fault file may inject, and what it may wait for. Written by `python -m chaos.reference`.\n",
        "Every action knows how to undo itself: what it finds when it is put in is what it brings back.\n",
        "Texts may have words that stand for numbers of the bed:\n",
        f"{inspect.getdoc(words.filled)}\n".partition("\n\n")[2],
    ]
    return "\n".join(
        [*parts, *(_one(name, model) for name, model in actions().items() if model.__module__.startswith("chaos."))]
    )


def _one(name: str, model: type[Arguments]) -> str:
    said = inspect.getdoc(model) or ""
    lines = [f"## {name}\n", said, ""]
    if model.only_looks:
        lines.insert(1, "*Only looks: for `effect`, `wait` and `settle`.*\n")
    rows: list[str] = []
    for argument, field in model.model_fields.items():
        if argument not in _OWN:
            default = "" if field.is_required() else f"`{field.get_default(call_default_factory=True)!r}`"
            rows.append(f"| `{argument}` | {(field.description or '').replace('|', '/')} | {default} |")
    if rows:
        lines += ["| argument | is | by default |", "|---|---|---|", *rows]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    Path("docs/actions.md").write_text(text(), encoding="utf-8")
