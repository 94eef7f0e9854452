"""Certificates of SSH renew themselves: by the commands that are meant for them, often enough, and in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from plumbline.check import check, for_each, found
from plumbline.facts.renewers import Renewer
from plumbline.facts.ssh import Signed, SignedKey
from suites.ssh import cases
from suites.ssh.cases import Host, Renewing, User

RenewerOf = Callable[[Renewing], Renewer]
_EXACT = timedelta(seconds=1)


@check(
    "ssh.renewer-timer",
    severity="critical",
    remedy="on {node}: systemctl enable --now {item}.timer",
    consequence="nobody looks whether the certificate is due: it expires within a day (S2)",
    source="seed 001, fact 32 and S2",
)
@for_each("renewing", cases.renewers("ssh-renewer"))
def test_the_timer_waits(renewing: Renewing, renewer: RenewerOf) -> None:
    """The timer of the renewal is there, active, and comes back after a boot."""
    timer = renewer(renewing)

    assert timer.loaded, found(
        "there is no such timer, or no such service", expected=f"{renewing.unit}.timer, .service"
    )
    assert timer.active, found(timer.state, expected="active")
    assert timer.enabled, found("it is not enabled", expected="enabled")


@check(
    "ssh.renewer-times",
    severity="major",
    remedy="on {node}: systemctl cat {item}.timer; set OnBootSec, OnUnitActiveSec and RandomizedDelaySec",
    consequence="a renewal is late by more than was reckoned with",
    source="seed 001, fact 32",
)
@for_each("renewing", cases.renewers("ssh-renewer-times"))
def test_the_timer_looks_often_enough(renewing: Renewing, renewer: RenewerOf) -> None:
    """The timer looks first, then and again, and with a delay, as declared."""
    timer, declared = renewer(renewing), renewing.spec.renewal

    assert timer.after_boot == declared.after_boot, found(
        f"first after {timer.after_boot}", expected=f"after {declared.after_boot}"
    )
    assert timer.every == declared.every, found(f"every {timer.every}", expected=f"every {declared.every}")
    assert abs(timer.jitter - declared.jitter) < _EXACT, found(f"delay {timer.jitter}", expected=str(declared.jitter))


@check(
    "ssh.renewer-command",
    severity="critical",
    remedy="on {node}: in {item}.service, ExecCondition=step ssh needs-renewal; for hosts ExecStart=step ssh renew",
    consequence="the unit is skipped or fails at every look, and the certificate expires within a day (S1)",
    source="seed 001, S1 and S2, line 8557",
)
@for_each("renewing", cases.renewers("ssh-renewer-command"))
def test_it_renews_as_ssh_is_renewed(renewing: Renewing, renewer: RenewerOf) -> None:
    """It asks `step ssh needs-renewal`; hosts renew by `step ssh renew` and reload sshd, users ask for a new one."""
    unit = renewer(renewing)
    wanted = " ssh renew " if renewing.of_host else " ssh certificate "

    assert " ssh needs-renewal " in unit.condition.argv, found(
        unit.condition.argv or "no condition", expected="step ssh needs-renewal"
    )
    assert f" {renewing.spec.renewal.elapsed}%" in unit.condition.argv, found(
        unit.condition.argv, expected=f"--expires-in {renewing.spec.renewal.elapsed}%"
    )
    assert wanted in unit.command.argv, found(unit.command.argv or "nothing", expected=f"step{wanted}")
    assert not renewing.of_host or any("reload" in argv and "ssh" in argv for argv in unit.afterwards), found(
        "; ".join(unit.afterwards) or "nothing is done afterwards", expected="sshd is reloaded"
    )


@check(
    "ssh.renewer-looks",
    severity="critical",
    remedy="on {node}: systemctl list-timers {item}.timer; systemctl restart {item}.timer",
    consequence="the timer is active and does nothing",
    source="seed 001, fact 32",
)
@for_each("renewing", cases.renewers("ssh-renewer-looks"))
def test_the_timer_has_looked(
    renewing: Renewing, renewer: RenewerOf, lateness: timedelta, up_for: Callable[[str], timedelta]
) -> None:
    """The timer's last look is no longer ago than its period and delay; none yet only after a boot, or a restart of it."""
    timer, declared = renewer(renewing), renewing.spec.renewal
    last, late = timer.triggered, timer.accuracy + lateness
    ago = timer.silent_for(up_for(renewing.node))
    most = (declared.gap if last else declared.after_boot + declared.jitter) + late

    assert ago <= most, found(
        f"{ago.total_seconds():.0f} s ago" if last else "never", expected=f"{most.total_seconds():.0f} s ago at most"
    )


@check(
    "ssh.renewal-runs",
    severity="critical",
    remedy="on {node}: journalctl -u {item} -n 20; systemctl start {item}",
    consequence="the certificate is due and is not renewed: it expires within a day",
    source="seed 001, fact 32 and S1",
)
@for_each("renewing", cases.renewers("ssh-renewal-run"))
def test_its_last_run_was_no_mistake(renewing: Renewing, renewer: RenewerOf) -> None:
    """The last look said yes (0) or no (1), and a renewal that was due succeeded."""
    unit = renewer(renewing)

    assert unit.condition.status in (-1, 0, 1), found(
        f"needs-renewal ended with {unit.condition.status}", expected="0 (due) or 1 (not due)"
    )
    assert unit.result in ("success", "exec-condition"), found(
        f"the last run: {unit.result} ({unit.command.status})", expected="success, or not due"
    )


@check(
    "ssh.host-renewed-in-time",
    severity="critical",
    remedy="on {node}: journalctl -u its renewer -n 20: why was it not renewed when it was due?",
    consequence="it was due for renewal and was not renewed: nobody will log in to {node} any more",
    source="seed 001, fact 32 and S1",
)
@for_each("host", cases.hosts("ssh-host-renewal"))
def test_the_host_certificate_was_renewed_in_time(
    host: Host, shown_by: Callable[[str], Signed], lateness: timedelta
) -> None:
    """More is left of the host's certificate than when it was due, but for what the timer and a renewal may take."""
    _in_time(shown_by(host.node), host, lateness)


@check(
    "ssh.user-renewed-in-time",
    severity="critical",
    remedy="on {node}: journalctl -u the renewer of {item} -n 20: why was it not renewed when it was due?",
    consequence="it was due for renewal and was not renewed: {item} of {node} will not log in any more",
    source="seed 001, S2",
)
@for_each("user", cases.users("ssh-user-renewal"))
def test_the_user_certificate_was_renewed_in_time(
    user: User, shown: Callable[[User], SignedKey], lateness: timedelta
) -> None:
    """More is left of the user's certificate than when it was due, but for what the timer and a renewal may take."""
    _in_time(shown(user).certificate, user, lateness)


def _in_time(certificate: Signed, of: Host | User, lateness: timedelta) -> None:
    if certificate.ends is None:
        return
    renewal, lifetime = of.spec.renewal, certificate.ends - certificate.starts
    least = max(timedelta(0), renewal.slack(lifetime) - renewal.gap - lateness)
    left = certificate.ends - datetime.now(UTC)

    assert left > least, found(
        f"{left.total_seconds() / 3600:.1f} h left", expected=f"more than {least.total_seconds() / 3600:.1f} h"
    )
