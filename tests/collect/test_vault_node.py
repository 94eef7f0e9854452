"""What is read on a node of Vault: who runs it, who may read its files, and digests of keys in place of the keys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plumbline.remote import vault

KEY = "0123456789abcdef" * 4


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A request about this process in place of the server's."""
    environment = tmp_path / "vault.env"
    environment.write_text(f'# a comment\nVAULT_SEAL_KEY="{KEY}"\nEMPTY=\n')
    environment.chmod(0o600)
    monkeypatch.setattr(vault, "_main", lambda unit: os.getpid())
    keys = ["VAULT_SEAL_KEY", "EMPTY", "MISSING"]
    return {
        "unit": "vault",
        "environment": str(environment),
        "keys": keys,
        "files": [str(environment), "/nowhere"],
        "salt": "00ff",
    }


def test_a_server_is_described_without_its_secrets(asked: dict[str, object]) -> None:
    told = vault.describe(asked)

    assert KEY not in repr(told)
    assert set(told["keys"]) == {"VAULT_SEAL_KEY"}
    assert told["files"]["/nowhere"] is None
    assert told["files"][asked["environment"]]["mode"] == 0o600
    assert told["process"]["no_new_privileges"] in (True, False)
    assert told["process"]["bounding"] >= told["process"]["effective"]


def test_the_same_key_has_the_same_digest_in_one_run_and_another_in_the_next(asked: dict[str, object]) -> None:
    first, again = vault.describe(asked)["keys"], vault.describe(asked)["keys"]
    next_run = vault.describe({**asked, "salt": "00fe"})["keys"]

    assert first == again != next_run


def test_no_server_is_a_fact(asked: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "_main", lambda unit: 0)

    assert vault.describe(asked)["process"] is None
