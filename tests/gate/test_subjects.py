"""Cases of the real bed files, and what they stand on."""

from __future__ import annotations

import pytest

from plumbline import subjects
from plumbline.bed import Bed, load
from plumbline.check import Cases, check, fill
from plumbline.needs import needs
from tests.gate.tiny import ROOT

EVERY: list[Cases] = [
    subjects.nodes,
    subjects.all_nodes,
    subjects.kubernetes_nodes,
    subjects.kubelets,
    subjects.networks,
    subjects.vlans,
    subjects.links,
    subjects.ports,
    subjects.addressed_ports,
    subjects.agent_ports,
    subjects.gateways,
    subjects.labels,
    subjects.settings("sysctls"),
    subjects.settings("services"),
    subjects.setting("swap"),
    subjects.workloads,
    subjects.attached_workloads,
    subjects.attachments,
    subjects.personas,
    subjects.authorities,
    subjects.certificates,
    subjects.wire_certificates,
    subjects.secrets,
    subjects.storage,
    subjects.flows(),
]


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(ROOT / "inventories" / "lab.yaml")


@pytest.mark.parametrize("cases", EVERY, ids=[str(number) for number in range(len(EVERY))])
def test_every_case_has_an_id_of_its_own_and_a_place_in_the_bed_file(bed: Bed, cases: Cases) -> None:
    found = list(cases(bed))

    assert found
    assert len({case.id for case in found}) == len(found)
    assert all(case.declared.rpartition(":")[2].isdigit() for case in found)
    assert [case.id for case in cases(bed)] == [case.id for case in found]


def test_a_flow_stands_on_all_that_it_crosses(bed: Bed) -> None:
    under = needs(bed, "flow:web-agent>persona-3")

    assert {"vlan:browsers", "vlan:persona-3", "port:ucs-2/browsers", "ngfw:ngfw", "node:ucs-2"} <= set(under)
    assert "vlan:persona-4" not in under
    assert "port:ucs-3/k6" not in under


def test_a_setting_explains_nothing_else(bed: Bed) -> None:
    assert not any("setting:" in under for case in subjects.workloads(bed) for under in case.needs)


def test_a_remedy_names_the_thing() -> None:
    assert (
        fill("on {node}: sysctl -w {item}={{}}", "setting:ucs-2/vm.swappiness")
        == "on ucs-2: sysctl -w vm.swappiness={{}}"
    )


@pytest.mark.parametrize(
    ("id", "change"),
    [("Host.it", {}), ("host", {}), ("host.it", {"severity": "bad"}), ("host.it", {"remedy": ""})],
)
def test_a_check_that_no_one_could_select_is_refused(id: str, change: dict[str, str]) -> None:
    about = {"severity": "major", "remedy": "a", "consequence": "b", "source": "c", **change}

    with pytest.raises(ValueError, match=id):
        check(id, **about)  # type: ignore[arg-type]
