"""The node's kernel is set as its host profiles ask."""

from __future__ import annotations

from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.load.conntrack import KEPT, MOST, Opened
from plumbline.subjects import Setting, setting, settings
from suites.host.cases import aspect, modules, tracking


@check(
    "host.sysctl",
    severity="major",
    remedy="on {node}: sysctl -w {item}=VALUE, and the same in /etc/sysctl.d; see the pod node-tuning of {node}",
    consequence="the node's own limits are measured in place of the firewall's",
    source="seed 000, chapters 1.3 and 15 (node-tuning)",
)
@for_each("setting", settings("sysctls"))
def test_a_sysctl_has_its_value(setting: Setting, facts: Facts) -> None:
    """A sysctl of a host profile has the declared value."""
    value = facts.node(setting.node).sysctl(setting.name)

    assert value is not None, found(f"this kernel has no {setting.name}", expected=f"{setting.name} = {setting.value}")
    assert value == str(setting.value), found(f"{setting.name} = {value}", expected=f"{setting.name} = {setting.value}")


@check(
    "host.swap",
    severity="major",
    remedy="on {node}: swapoff -a",
    consequence="the kubelet refuses to start, or memory limits mean nothing",
    source="seed 000, chapter 1.2",
)
@for_each("setting", setting("swap"))
def test_swap_is_as_declared(setting: Setting, facts: Facts) -> None:
    """Swap is off (or on) as the host profile says."""
    swaps = facts.node(setting.node).swaps

    assert bool(swaps) == setting.value, found(
        f"in use: {', '.join(swaps) or 'none'}", expected=f"swap: {setting.value}"
    )


@check(
    "host.swap-at-boot",
    severity="minor",
    remedy="on {node}: sed -i '/\\bswap\\b/d' /etc/fstab",
    consequence="swap is back after the next boot, and the kubelet does not start",
    source="seed 000, chapter 1.2",
)
@for_each("node", aspect("fstab"))
def test_swap_does_not_come_back_at_the_next_boot(node: str, facts: Facts) -> None:
    """/etc/fstab mounts no swap."""
    lines = facts.node(node).fstab_swaps

    assert not lines, found(f"/etc/fstab: {'; '.join(lines)}", expected="no line of type swap")


@check(
    "host.module",
    severity="major",
    remedy="on {node}: modprobe {item}; echo {item} > /etc/modules-load.d/{item}.conf",
    consequence="no VLAN interface can be made, now or after the next boot",
    source="seed 000, chapter 1.1",
)
@for_each("setting", modules)
def test_a_module_is_loaded(setting: Setting, facts: Facts) -> None:
    """The kernel has a module that a host profile names."""
    assert facts.node(setting.node).module(setting.name), found("it is not loaded", expected=f"{setting.name} loaded")


@check(
    "host.transparent-hugepages",
    severity="minor",
    remedy="on {node}: echo never > /sys/kernel/mm/transparent_hugepage/enabled; see the pod node-tuning of {node}",
    consequence="the kernel pauses to compact memory, which shows as latency of the firewall",
    source="seed 000, chapter 15 (node-tuning)",
)
@for_each("setting", setting("transparent_hugepages"))
def test_transparent_hugepages_are_as_declared(setting: Setting, facts: Facts) -> None:
    """Transparent hugepages are as the host profile says."""
    value = facts.node(setting.node).transparent_hugepages

    assert value == setting.value, found(value or "the kernel has none", expected=setting.value)


@check(
    "host.cpu-governor",
    severity="minor",
    remedy="on {node}: cpupower frequency-set -g performance; see the pod node-tuning of {node}",
    consequence="processors change their clocks in mid-measurement",
    source="seed 000, chapter 15 (node-tuning)",
)
@for_each("setting", setting("cpu_governor"))
def test_every_processor_has_the_governor(setting: Setting, facts: Facts) -> None:
    """Every processor is under the declared governor."""
    governors = facts.node(setting.node).cpu_governors

    assert governors == (setting.value,), found(", ".join(governors) or "none", expected=setting.value)


@check(
    "host.clock",
    severity="major",
    remedy="on {node}: chronyc makestep; chronyc tracking",
    consequence="certificates are not yet or no longer valid there, and latencies across nodes mean nothing",
    source="seed 000, chapter 13",
)
@for_each("setting", setting("clock_offset"))
def test_the_clock_agrees_with_the_runner(setting: Setting, facts: Facts) -> None:
    """The node's clock agrees with the runner's, as far as a round trip can tell."""
    offset, most = facts.node(setting.node).clock_offset, setting.value.total_seconds()

    assert offset.certain <= most, found(f"off by {offset}", expected=f"{most:g} s at most")


@check(
    "host.kernel-log",
    severity="minor",
    remedy="on {node}: dmesg --level=emerg,alert,crit,err",
    consequence="hardware or the kernel of {node} is failing, or is about to",
    source="seed 000, chapter 13",
)
@for_each("node", aspect("kernel-log"))
def test_the_kernel_reports_no_errors(node: str, facts: Facts) -> None:
    """The kernel's log holds no message of level error or worse."""
    count, last = facts.node(node).kernel_errors

    assert count == 0, found(f"{count} messages, at last: {' | '.join(last)}", expected="none")


@check(
    "host.conntrack",
    severity="major",
    remedy="on {node}: sysctl -w net.netfilter.nf_conntrack_max=…, and the same in /etc/sysctl.d; or promise less",
    consequence="when the table is full, connections fail in a pattern that looks like a fault of what is tested",
    source="seed 002, Troubleshooting 3 (repeating pattern of connection failures)",
)
@for_each("opened", tracking)
def test_the_conntrack_table_holds_the_load(opened: Opened, facts: Facts) -> None:
    """The connections that the largest load target opens, and those that have just ended, fit into a node's table."""
    most, kept = facts.node(opened.node).sysctl(MOST), facts.node(opened.node).sysctl(KEPT)
    if most is None or kept is None:
        return  # this kernel tracks no connections
    needed = opened.rate * float(kept)

    assert needed <= float(most), found(
        f"{MOST} = {most}: full after {float(most) / opened.rate:.0f} s of {opened.target}",
        expected=f"{needed:.0f}: {opened.rate:g} connections a second, each tracked for {kept} s after its end",
    )
