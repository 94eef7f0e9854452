"""The power of a node: programs that the bed file names, a management controller over HTTPS, and what says it is off."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chaos import power
from chaos.call import ActionFailed, Call, CallError
from chaos.reach import Reach
from plumbline.bed import Bed, load
from plumbline.collect.access import Access
from tests.collect.certificates import Authority

HARDWARE = """\
version: 1
bed: t-power
realised_by: hardware
allow: {chaos: true}
nodes:
  one: {role: a, oobi: 192.0.2.1, power: POWER}
networks:
  oobi: {cidr: 192.0.2.0/29}
"""
SHOWN = "operator:not-told"


class Controller(BaseHTTPRequestHandler):
    """One computer system, as DMTF DSP0266 has it."""

    state = "On"

    def do_GET(self) -> None:
        target = f"{self.path}/Actions/ComputerSystem.Reset"
        self._say({"PowerState": Controller.state, "Actions": {"#ComputerSystem.Reset": {"target": target}}})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Controller.state = "Off" if asked["ResetType"] == "ForceOff" else "On"
        self._say(None)

    def _say(self, body: Any) -> None:
        wanted = base64.b64encode(SHOWN.encode()).decode()
        allowed = self.headers.get("Authorization") == f"Basic {wanted}"
        text = json.dumps(body).encode() if allowed and body else b""
        self.send_response((200 if body else 204) if allowed else 401)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None: ...


def bed(tmp_path: Path, declared: str) -> Bed:
    file = tmp_path / "bed.yaml"
    file.write_text(HARDWARE.replace("POWER", declared))
    return load(file)


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Bed]:
    """A bed whose node has a controller on this machine's loopback, by TLS."""
    authority = Authority("t")
    pair = tmp_path / "pair.pem"
    own = authority.leaf("localhost")
    pair.write_text(own.certificate + own.key)
    (tmp_path / "ca.pem").write_text(authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with ThreadingHTTPServer(("127.0.0.1", 0), Controller) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        system = f"https://localhost:{server.server_port}/redfish/v1/Systems/1"
        yield bed(tmp_path, f"{{redfish: {{system: '{system}', credential: bmc, ca: {tmp_path}/ca.pem}}}}")
        server.shutdown()


def test_a_controller_is_asked_over_tls_with_what_it_wants_to_be_shown(controller: Bed) -> None:
    Controller.state = "On"
    with Reach(controller, Access(credentials={"bmc": SHOWN})) as reach:
        node = power.supply(controller, reach, "one")
        for wanted in (False, True):
            node.switch(wanted)
            assert node.on() is wanted
    assert "ForceOff" in node.means


@pytest.mark.parametrize(("shown", "said"), [("operator:wrong", "status 401"), ("", "no user:password")])
def test_a_controller_that_refuses_is_told_and_the_password_is_not(controller: Bed, shown: str, said: str) -> None:
    access = Access(credentials={"bmc": shown} if shown else {})
    with Reach(controller, access) as reach, pytest.raises(ActionFailed, match=said) as caught:
        power.supply(controller, reach, "one").on()
    assert "wrong" not in str(caught.value)


def test_a_controller_of_another_authority_is_not_believed(controller: Bed, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(Authority("other").certificate)
    with Reach(controller, Access(credentials={"bmc": SHOWN})) as reach, pytest.raises(ActionFailed, match="SSLError"):
        power.supply(controller, reach, "one").on()


def test_programs_switch_and_say_what_is(tmp_path: Path) -> None:
    kept = tmp_path / "state"
    kept.write_text("on\n")
    told = {word: ["sh", "-c", f"echo {word} > {kept}"] for word in ("on", "off")} | {"state": ["cat", str(kept)]}
    declared = bed(tmp_path, f"{{command: {json.dumps(told)}}}")
    with Reach(declared, Access()) as reach:
        node = power.supply(declared, reach, "one")
        node.switch(False)
        assert not node.on()
        kept.write_text("perhaps\n")
        with pytest.raises(ActionFailed, match="'perhaps', not on or off"):
            node.on()


def test_a_node_that_switches_itself_is_off_while_it_lets_nobody_log_in(tmp_path: Path) -> None:
    declared = bed(tmp_path, "{ssh: true}")
    with Reach(declared, Access()) as reach:
        node = power.supply(declared, reach, "one")
        assert isinstance(node, power.Shell)
        reach.ask = lambda *_, **__: (_ for _ in ()).throw(ActionFailed("no way"))  # type: ignore[method-assign]
        assert not node.on()


def test_a_node_whose_power_nobody_switches_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    file = tmp_path / "bed.yaml"
    file.write_text(HARDWARE.replace(", power: POWER", ""))

    with pytest.raises(CallError, match="does not say how its power is switched"):
        Call("node.power", {"node": "one"}).understood(load(file))
