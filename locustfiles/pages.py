"""Opens pages in a real Chromium, each for a new visitor, as it is asked to, and tells what became of them.

    python -m locustfiles.pages     # asks and answers are lines of JSON

A process of its own, since Playwright and Locust each bring a loop that takes Python over. Its first line of input is a
`Browsing`, to which it says `{}` when it is ready; each line after it is a `Page`, answered by a `Visit`, many at a time.
It ends with its input, so also when whoever began it is gone. Chromium is told the names of the bed and finds no other,
whatever a page asks for.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Browser

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
_LAUNCH_MS = 30_000.0
_CERTUTIL_S = 20.0
_QUIET = (
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--no-pings",
)  # fmt: skip
_TRANSFERRED = "() => performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize || 0), 0)"


class CannotBrowse(Exception):
    """A program is missing, or did not start; the text says which, and what to do."""


@dataclass(frozen=True)
class Browsing:
    """How visitors browse: names as NAME → address, and whom they trust beside the system's authorities (PEM text).

    `issuer` is the common name that they have to be shown as the issuer of a page's certificate; empty: any.
    `timeout` is in seconds, for a page with all that belongs to it.
    """

    addresses: dict[str, str]
    authority: str = ""
    issuer: str = ""
    timeout: float = 10.0


@dataclass(frozen=True)
class Page:
    """A page to open; `number` tells its answer from others."""

    number: int
    url: str


@dataclass(frozen=True)
class Visit:
    """What became of a page: seconds until it was complete, and what went wrong, by its class."""

    number: int
    seconds: float
    size: int = 0
    error: str = ""


def program() -> str:
    """The path of a Chromium on this machine; CannotBrowse where there is none, or nothing that lets it trust."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise CannotBrowse(f"there is no {BROWSERS[0]} on this machine; remedy: apt-get install {BROWSERS[0]}")
    if shutil.which("certutil") is None:
        raise CannotBrowse("there is no certutil on this machine; remedy: apt-get install libnss3-tools")
    return found


async def visit(browser: Browser, asked: Page, how: Browsing) -> Visit:
    """A new visitor, who knows nothing and keeps nothing, opens a page and waits for all that belongs to it.

    What is lost of it counts as the page's failure, by the first of its classes: status N, or net::ERR_… of Chromium.
    """
    context = await browser.new_context()
    page, begun, lost = await context.new_page(), time.monotonic(), list[str]()
    page.on("requestfailed", lambda request: lost.append(request.failure or "request failed"))
    page.on("response", lambda answer: lost.append(f"status {answer.status}") if answer.status >= 400 else None)
    try:
        answer = await page.goto(asked.url, wait_until="load", timeout=how.timeout * 1000)
        seconds = time.monotonic() - begun
        certificate = await answer.security_details() if answer else None
        shown = (certificate["issuer"] if certificate else "") or "nobody"
        wrong = f"certificate by {shown}" if how.issuer not in ("", shown) else ""
        size = int(await page.evaluate(_TRANSFERRED))
        return Visit(asked.number, seconds, size, lost[0] if lost else wrong)
    except Exception as error:  # whatever the browser says: each is counted under its own words
        return Visit(asked.number, time.monotonic() - begun, error=lost[0] if lost else _class_of(error))
    finally:
        await context.close()


def _class_of(error: Exception) -> str:
    """net::ERR_… as Chromium has it, or that it took too long."""
    text = str(error)
    if "net::" in text:
        return text[text.index("net::") :].split(maxsplit=1)[0]
    return "timeout: page not complete" if "Timeout" in text else text.splitlines()[0][:80]


@contextmanager
def home(authority: str) -> Iterator[Path]:
    """A home folder whose browser trusts this authority beside the system's; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="plumbline-browser-") as folder:
        store = Path(folder) / ".pki/nssdb"
        store.mkdir(parents=True)
        _certutil(store, "-N", "--empty-password")
        if authority:
            _certutil(store, "-A", "-t", "C,,", "-n", "bed", "-a", said=authority)
        yield Path(folder)


def _certutil(store: Path, *words: str, said: str = "") -> None:
    command = ["certutil", "-d", f"sql:{store}", *words]
    done = subprocess.run(command, input=said, text=True, capture_output=True, timeout=_CERTUTIL_S, check=False)
    if done.returncode:
        raise CannotBrowse(f"certutil: {done.stderr.strip() or done.returncode}")


async def run(how: Browsing, program: str) -> None:
    """Opens what is asked for until standard input ends."""
    from playwright.async_api import async_playwright

    rules = ", ".join([*(f"MAP {name} {address}" for name, address in how.addresses.items()), "MAP * ~NOTFOUND"])
    with home(how.authority) as folder:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=program,
                args=[*_QUIET, f"--host-resolver-rules={rules}"],
                chromium_sandbox=os.geteuid() != 0,  # which it refuses to root
                env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder)},
                timeout=_LAUNCH_MS,
            )
            print("{}", flush=True)
            visits: set[asyncio.Task[None]] = set()
            while line := await asyncio.to_thread(sys.stdin.readline):
                visits.add(task := asyncio.create_task(_answer(browser, Page(**json.loads(line)), how)))
                task.add_done_callback(visits.discard)
            for task in visits:
                task.cancel()
            await asyncio.gather(*visits, return_exceptions=True)
            await browser.close()


async def _answer(browser: Browser, asked: Page, how: Browsing) -> None:
    print(json.dumps(asdict(await visit(browser, asked, how))), flush=True)


def main() -> int:
    """0 when its input has ended, 2 where it cannot browse."""
    how = Browsing(**json.loads(sys.stdin.readline()))
    try:
        asyncio.run(run(how, program()))
    except CannotBrowse as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
