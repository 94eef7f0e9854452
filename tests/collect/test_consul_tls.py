"""Consul over TLS: what the gate shows, what it lacks, and where the key of its certificate never lies."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from plumbline.bed import Bed, BedError, load
from plumbline.collect import consul
from plumbline.collect.access import Access
from tests.collect.certificates import Authority
from tests.collect.consuls import TOKEN, serving
from tests.collect.test_consul import BED
from tests.collect.vaults import certified

CA = Authority("consul-ca")
OWN = CA.leaf("gate")
WHOLE = {"consul": TOKEN, "consul-ca": CA.certificate, "consul-certificate": OWN.certificate + OWN.key}


def declared(folder: Path, port: int = 8501, more: str = "", https: bool = True) -> Bed:
    """The small Consul, whose server listens for HTTPS."""
    binds = f"server: {{https: {{port: {port}, on: [oobi]}}}}" if https else "server: {https: null}"
    file = folder / "c1.yaml"
    file.write_text(BED.replace("server: {http: {port: %d, on: [oobi]}, https: null}", f"{binds}\n  {more}"))
    return load(file)


def test_the_gate_shows_its_certificate_and_its_key_lies_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with serving(certified(CA.leaf("127.0.0.1"), CA, tmp_path)) as server:
        bed = declared(tmp_path, server.port)
        said = consul.collect(bed, Access(credentials=WHOLE), False, 2.5)

    assert said.outcome == "ok", said.error
    assert said.facts["servers"]["one"]["leader"]
    assert said.facts["servers"]["one"]["uncertified"] == ""


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ({"consul-ca": ""}, "no authority to trust; access.credentials.consul-ca: no such file"),
        ({"consul-certificate": ""}, "no certificate; access.credentials.consul-certificate in the bed file"),
        ({"consul-ca": "", "consul-certificate": ""}, "consul-ca: no such file; the gate has no certificate"),
        ({"consul-ca": "rubbish"}, "access.credentials.consul-ca cannot be used"),
        ({"consul-certificate": OWN.certificate}, "access.credentials.consul-certificate cannot be used"),
    ],
)
def test_what_the_gate_lacks_is_no_silence_of_a_server(tmp_path: Path, shown: dict[str, str], why: str) -> None:
    access = Access(credentials=WHOLE | shown, lacking={"consul-ca": "no such file"})
    said = consul.collect(declared(tmp_path), access, False, 1.0)

    assert (said.outcome, said.facts) == ("refused", {})
    assert why in str(said.error)


def test_an_agent_that_nobody_could_ask_is_not_declared(tmp_path: Path) -> None:
    with pytest.raises(BedError):
        declared(tmp_path, more="client: {http: null}")
