"""Sets the sysctls and huge pages that the bed declares for this node, and sees to it that they stay.

GET /healthz is 200 when everything that this kernel lets a node set is as declared; its text, and the log, name what
the kernel does not have or does not let a node set. A setting that another program changed is set again.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

State = dict[str, dict[str, str]]
EVERY = 30.0
PROGRAMS = Path("/programs")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
GOVERNORS = Path("/sys/devices/system/cpu")
_state: State = {"applied": {}, "wrong": {"start": "not looked at yet"}, "not here": {}}


def value(path: Path) -> str:
    """What a setting is: of a choice such as `always [madvise] never`, the word in brackets."""
    text = " ".join(path.read_text().split())
    return text.partition("[")[2].partition("]")[0] or text


def settle(name: str, path: Path, wanted: str, state: State) -> None:
    """Bring one setting to what is wanted, and note what came of it."""
    if not path.exists():
        state["not here"][name] = "this kernel, or this network namespace, does not have it"
        return
    if value(path) != wanted:
        try:
            path.write_text(wanted)
        except OSError as error:
            pass_on = "not here" if error.errno in (1, 13, 22, 30) and not path.stat().st_mode & 0o200 else "wrong"
            state[pass_on][name] = f"{value(path)}, and it cannot be set from a node: {error.strerror}"
            return
    state["applied" if value(path) == wanted else "wrong"][name] = value(path)


def settings() -> list[tuple[str, Path, str]]:
    """Name, file and value of everything that is declared."""
    sysctls = json.loads((PROGRAMS / "profile.json").read_text())
    found = [(name, Path("/proc/sys") / name.replace(".", "/"), wanted) for name, wanted in sysctls.items()]
    if pages := (PROGRAMS / "hugepages").read_text().strip():
        found.append(("transparent_hugepages", HUGE_PAGES, pages))
    if governor := (PROGRAMS / "governor").read_text().strip():
        cpus = sorted(GOVERNORS.glob("cpu[0-9]*"))
        found += [(f"governor of {cpu.name}", cpu / "cpufreq/scaling_governor", governor) for cpu in cpus]
    return found


def keep() -> None:
    """Look at everything every half minute."""
    said = None
    while True:
        state: State = {"applied": {}, "wrong": {}, "not here": {}}
        for name, path, wanted in settings():
            settle(name, path, wanted, state)
        _state.update(state)
        if state != said:
            print(json.dumps(state), flush=True)
        said = state
        time.sleep(EVERY)


class Health(BaseHTTPRequestHandler):
    """GET anything: 200 where all that can be set is set."""

    def do_GET(self) -> None:
        data = json.dumps(_state).encode()
        self.send_response(503 if _state["wrong"] else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a health check is no event."""


if __name__ == "__main__":
    threading.Thread(target=keep, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", 9911), Health).serve_forever()
