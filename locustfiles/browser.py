"""Pages through the inspecting firewall in a real Chromium (seed 000): how long until each is complete, and who signed.

    locust -f locustfiles/browser.py --headless --bed inventories/lab.yaml --target browser --ca ngfw-ca.pem

A few users are enough: a browser shows what users of HTTP do not, such as that all that belongs to a page is there, and
whose certificate it shows. Each page is opened by a new visitor.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.x509.oid import NameOID
from locust import events, task
from locust.runners import MasterRunner

from locustfiles.calls import CallUser
from locustfiles.chromium import Chromium
from locustfiles.failed import CallFailed
from locustfiles.pages import Browsing, CannotBrowse
from locustfiles.target import EXIT_USAGE, Run, Shape

if TYPE_CHECKING:
    from locust.env import Environment

run = Run("browser", alone=True)
_turns = itertools.count()


def browsing() -> Browsing:
    """As the target says: whom it asks, whom its users trust, and that they be shown that one as the issuer."""
    authority = Path(run.settings.ca).read_text(encoding="ascii") if run.settings.ca else ""
    subject = x509.load_pem_x509_certificate(authority.encode()).subject if authority else x509.Name([])
    names = [str(name.value) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return Browsing({one.name: one.address for one in run.asked}, authority, "".join(names[:1]), run.settings.timeout)


@run.user
class Visitor(CallUser):
    """Opens one page after the other, each as somebody who was never there."""

    @task
    def page(self) -> None:
        """The next page of the target."""
        asked = run.requests[next(_turns) % len(run.requests)]
        self.call(asked.name, "PAGE", lambda: self._open(asked.url))

    def _open(self, url: str) -> float:
        """Seconds until the page was complete: the making of a new visitor, and its end, are the browser's own time."""
        visit = Chromium.of(self.environment).open(url)
        if visit.error:
            raise CallFailed(visit.error)
        return visit.seconds


@events.init.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """The browser begins before the test does: its start is no warm-up. Ends the process with 2 where it cannot."""
    if isinstance(environment.runner, MasterRunner):
        return
    try:
        Chromium.begin(environment, browsing())
    except (CannotBrowse, OSError) as error:
        print(f"load: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE)


@events.quit.add_listener
def end(**_: Any) -> None:
    """The browser ends with Locust."""
    Chromium.end()


class TargetShape(Shape):
    """As the target says."""

    run = run
