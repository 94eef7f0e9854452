"""Nodes log in to each other by certificate, and nobody else does."""

from __future__ import annotations

from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts import Login as Answer
from plumbline.outcome import Unknown
from suites.ssh import cases
from suites.ssh.cases import Login


@check(
    "ssh.login",
    severity="critical",
    kind="active",
    remedy="on the first of {name}: ssh -v root@ the second one; look for `Server host certificate` and `Server accepts key`",
    consequence="what works between the nodes over SSH does not: replication, playbooks, a person in need",
    source="seed 001, fact 31",
)
@for_each("login", cases.logins)
def test_every_node_logs_in_to_every_other(login: Login, facts: Facts) -> None:
    """root of one node logs in to the other without being asked, each side known by its certificate."""
    answer = facts.probe(Answer, "login", source=login.source, target=login.target)

    assert answer.ok, found(str(answer), expected="a login")
    assert answer.host_certificate, found("the host was not known by a certificate", expected="a host certificate")
    assert answer.user_certificate, found("the user was not known by a certificate", expected="a user certificate")


@check(
    "ssh.unsigned-refused",
    severity="critical",
    kind="active",
    remedy="on the second of {name}: AuthorizedKeysFile none; TrustedUserCAKeys with the authority alone; reload ssh",
    consequence="whoever has any key is root there",
    source="seed 001, fact 31 (the other way round)",
)
@for_each("login", cases.refusals("ssh-refusal"))
def test_a_key_that_nobody_signed_is_refused(login: Login, facts: Facts) -> None:
    """A login as root with a new key, which no authority has signed, is refused."""
    _refused(facts.probe(Answer, "login-plain", source=login.source, target=login.target), login)


@check(
    "ssh.other-user-refused",
    severity="critical",
    kind="active",
    remedy="on the second of {name}: sshd -T | grep -i principals; nobody but the principals of a certificate may log in",
    consequence="a certificate for one user is good for all of them",
    source="seed 001, fact 28 (the other way round)",
)
@for_each("login", cases.refusals("ssh-other"))
def test_a_certificate_is_good_for_its_own_user_alone(login: Login, facts: Facts) -> None:
    """A login with root's certificate as a user whom it does not name is refused."""
    _refused(facts.probe(Answer, "login-other", source=login.source, target=login.target), login)


def _refused(answer: Answer, login: Login) -> None:
    """Refused by the server; Unknown, caused by what hinders every login, where it did not come to that."""
    cause = f"ssh-login:{login.source}>{login.target}"
    if not answer.ok and answer.outcome != "refused":
        raise Unknown(f"the login was neither made nor refused: {answer}", cause=cause)
    if answer.outcome == "refused" and not answer.host_certificate:
        raise Unknown(f"the client refused the host: {answer}", cause=cause)

    assert not answer.ok, found("the login was made", expected="refused")
