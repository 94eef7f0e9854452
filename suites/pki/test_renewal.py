"""Certificates of services renew themselves: by the right command, of the right file, often enough, and in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from plumbline.check import check, for_each, found
from plumbline.facts.pki import Pair, PkiFacts
from plumbline.facts.renewers import Renewer
from plumbline.outcome import Unknown
from suites.pki import cases
from suites.pki.cases import Served, Trusting

PairOf = Callable[[Served], Pair]
RenewerOf = Callable[[Served], Renewer]
_EXACT = timedelta(seconds=1)


@check(
    "pki.renewer-timer",
    severity="critical",
    remedy="on {node}: systemctl enable --now cert-renewer@{item}.timer",
    consequence="nobody looks whether the certificate is due: it is going to expire",
    source="seed 001, facts 40 and 41, F23",
)
@for_each("served", cases.renewers("renewer"))
def test_the_timer_waits(served: Served, renewer: RenewerOf) -> None:
    """The timer of its renewal is there, active, and comes back after a boot."""
    timer = renewer(served)

    assert timer.loaded, found(
        "there is no such timer, or no such service", expected="cert-renewer@.timer and .service"
    )
    assert timer.active, found(timer.state, expected="active")
    assert timer.enabled, found("it is not enabled", expected="enabled")


@check(
    "pki.renewer-placement",
    severity="minor",
    remedy="on {node}: systemctl disable --now cert-renewer@UNIT.timer",
    consequence="a timer that renews nothing looks as healthy as one that does (S4)",
    source="seed 001, fact 41 and S4",
)
@for_each("node", cases.trusting("renewer-placement"))
def test_timers_are_where_the_services_are(
    node: Trusting, pki: Callable[[str], PkiFacts], units_on: Callable[[str], set[str]]
) -> None:
    """No timer of cert-renewer@ is on a node on which its service does not live."""
    strays = set(pki(node.node).instances) - units_on(node.node)

    assert not strays, found(f"cert-renewer@ of {', '.join(sorted(strays))}", expected="none but those declared")


@check(
    "pki.renewer-path",
    severity="critical",
    remedy="on {node}: mend CERT_LOCATION and KEY_LOCATION in cert-renewer@{item}.service.d/override.conf",
    consequence="the timer looks healthy and renews another file, while the certificate expires (F28)",
    source="seed 001, fact 42, F28 and S4",
)
@for_each("served", cases.renewers("renewer-path"))
def test_it_renews_what_the_service_loads(served: Served, renewer: RenewerOf) -> None:
    """The renewal is of the certificate and of the key that the service loads."""
    environment, spec = renewer(served).environment, served.spec
    seen = (environment.get("CERT_LOCATION", ""), environment.get("KEY_LOCATION", ""))

    assert seen == (spec.certificate, spec.key), found(
        " and ".join(map(repr, seen)), expected=f"{spec.certificate} and {spec.key}"
    )


@check(
    "pki.renewer-times",
    severity="major",
    remedy="on {node}: systemctl cat cert-renewer@{item}.timer; set OnCalendar and RandomizedDelaySec",
    consequence="the certificate may expire between two looks (S5)",
    source="seed 001, fact 40",
)
@for_each("served", cases.renewers("renewer-times"))
def test_the_timer_looks_often_enough(served: Served, renewer: RenewerOf) -> None:
    """The timer looks as often as declared, with the declared delay, and makes up for what it missed."""
    timer, declared = renewer(served), served.spec.renewal

    assert timer.every == declared.every, found(f"every {timer.every}", expected=f"every {declared.every}")
    assert abs(timer.jitter - declared.jitter) < _EXACT, found(f"delay {timer.jitter}", expected=str(declared.jitter))
    assert timer.persistent, found("it does not make up for what it missed", expected="Persistent=true")


@check(
    "pki.renewer-threshold",
    severity="major",
    remedy="on {node}: set EXPIRES_IN_THRESHOLD in cert-renewer@{item}.service.d/override.conf",
    consequence="the certificate is renewed at another time than promised, or never in time",
    source="seed 001, fact 39 and S4",
)
@for_each("served", cases.renewers("renewer-threshold"))
def test_it_is_due_when_declared(served: Served, renewer: RenewerOf) -> None:
    """The renewal is due after the declared share of the lifetime."""
    seen = renewer(served).environment.get("EXPIRES_IN_THRESHOLD", "")

    assert seen == f"{served.spec.renewal.elapsed}%", found(
        seen or "nothing", expected=f"{served.spec.renewal.elapsed}%"
    )


@check(
    "pki.renewer-command",
    severity="critical",
    remedy="on {node}: systemctl cat cert-renewer@{item}.service, and compare with seed 001, line 10441",
    consequence="nothing is renewed, or the service goes on showing what it read at its start",
    source="seed 001, fact 39",
)
@for_each("served", cases.renewers("renewer-command"))
def test_it_renews_as_step_does(served: Served, renewer: RenewerOf) -> None:
    """It asks `step certificate needs-renewal`, renews by `step ca renew` as root, and tells the service."""
    unit, service = renewer(served), served.spec.unit

    assert " certificate needs-renewal " in unit.condition.argv, found(
        unit.condition.argv or "no condition", expected="step certificate needs-renewal"
    )
    assert " ca renew " in unit.command.argv, found(unit.command.argv or "nothing", expected="step ca renew")
    assert unit.user == "root", found(f"User={unit.user}", expected="root")
    assert any(f"try-reload-or-restart {service}" in argv for argv in unit.afterwards), found(
        "; ".join(unit.afterwards) or "nothing is done afterwards", expected=f"try-reload-or-restart {service}"
    )


@check(
    "pki.renewer-looks",
    severity="critical",
    remedy="on {node}: systemctl list-timers 'cert-renewer@*'; systemctl restart cert-renewer@{item}.timer",
    consequence="the timer is active and does nothing",
    source="seed 001, fact 40",
)
@for_each("served", cases.renewers("renewer-looks"))
def test_the_timer_has_looked(
    served: Served, renewer: RenewerOf, lateness: timedelta, up_for: Callable[[str], timedelta]
) -> None:
    """The timer's last look is no longer ago than its period, its delay, and what a renewal may take."""
    timer = renewer(served)
    ago, most = timer.silent_for(up_for(served.node)), served.spec.renewal.gap + timer.accuracy + lateness

    assert ago <= most, found(
        f"{ago.total_seconds():.0f} s ago" if timer.triggered else "never",
        expected=f"{most.total_seconds():.0f} s ago at most",
    )


@check(
    "pki.renewal-runs",
    severity="critical",
    remedy="on {node}: journalctl -u cert-renewer@{item} -n 20; systemctl start it; what has expired is issued anew (S3)",
    consequence="the certificate is due and is not renewed: it is going to expire",
    source="seed 001, facts 39 and 43",
)
@for_each("served", cases.renewers("renewal-run"))
def test_its_last_run_was_no_mistake(served: Served, renewer: RenewerOf) -> None:
    """The last look said yes (0) or no (1), and a renewal that was due succeeded."""
    unit = renewer(served)

    assert unit.condition.status in (-1, 0, 1), found(
        f"needs-renewal ended with {unit.condition.status}", expected="0 (due) or 1 (not due)"
    )
    assert unit.result in ("success", "exec-condition"), found(
        f"the last run: {unit.result} ({unit.command.status})", expected="success, or not due"
    )


@check(
    "pki.slack",
    severity="major",
    remedy="on {node}: a longer lifetime, a smaller threshold, or a timer that looks more often",
    consequence="the certificate may expire between two looks of a timer that works (S5)",
    source="seed 001, fact 44 and S5",
)
@for_each("served", cases.certificates("renewal-slack"))
def test_the_timer_cannot_miss_it(served: Served, pair: PairOf, renewer: RenewerOf) -> None:
    """(1 - threshold) times the lifetime is more than the timer's period and delay, as they really are."""
    unit, lifetime = renewer(served), pair(served).leaf.lifetime
    threshold = unit.environment.get("EXPIRES_IN_THRESHOLD", "").removesuffix("%")
    if not threshold.isdecimal() or unit.every is None:
        raise Unknown(
            f"{served.own}: threshold {threshold!r}, period {unit.every}",
            cause=f"renewer-times:{served.node}/{served.spec.unit}",
        )
    slack, gap = lifetime * (100 - int(threshold)) / 100, unit.every + unit.jitter

    assert slack > gap, found(f"{slack} are left when it is due", expected=f"more than {gap}")


@check(
    "pki.renewed-in-time",
    severity="critical",
    remedy="on {node}: journalctl -u cert-renewer@UNIT -n 20: why was it not renewed when it was due?",
    consequence="it was due for renewal and was not renewed: it is going to expire",
    source="seed 001, facts 42-44 and F28",
)
@for_each("served", cases.certificates("renewal"))
def test_it_was_renewed_in_time(served: Served, pair: PairOf, lateness: timedelta) -> None:
    """More is left of it than when it was due, but for what the timer and a renewal may take."""
    leaf, renewal = pair(served).leaf, served.spec.renewal
    least = renewal.slack(leaf.lifetime) - renewal.gap - lateness
    left = leaf.left()

    assert left > max(least, timedelta(0)), found(_text(left), expected=f"more than {_text(least)}")


@check(
    "pki.canary-renewed",
    severity="critical",
    remedy="on {node}: journalctl -u 'cert-renewer@*' -n 20",
    consequence="renewal does not work: every certificate of the bed is going to expire",
    source="seed 001, facts 36 and 44, line 10397",
)
@for_each("served", cases.canaries)
def test_the_canary_has_been_renewed(served: Served, pair: PairOf, lateness: timedelta) -> None:
    """It was written anew after its key, the last time no longer ago than its renewal takes."""
    files, renewal = pair(served), served.spec.renewal
    due = files.leaf.lifetime * renewal.elapsed / 100 + renewal.gap + lateness
    age = datetime.now(UTC) - files.leaf.starts

    assert files.renewed_after > _EXACT, found("it is the first one", expected="renewed since its key was made")
    assert age <= due, found(f"begun {age.total_seconds():.0f} s ago", expected=f"{due.total_seconds():.0f} s at most")


def _text(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.1f} min left" if span > timedelta(0) else "nothing left"
