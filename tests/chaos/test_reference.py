"""The reference of actions says what the actions are."""

from __future__ import annotations

from pathlib import Path

from chaos import reference
from chaos.call import actions

PAGE = Path(__file__).parents[2] / "docs" / "actions.md"


def test_the_page_is_what_the_actions_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.text(), "python -m chaos.reference"


def test_every_action_says_what_it_is() -> None:
    silent = [name for name, model in actions().items() if len((model.__doc__ or "").split()) < 4]

    assert not silent
