"""The machines of a lab: whole systemd systems, one a node, side by side under podman and runc.

Each has a root file system of its own (an overlay on the shared one), a network namespace, a cgroup tree that ends at
itself, a journal and sshd, so that checks reach it exactly as they reach real hardware. What is running is always asked
of podman and the kernel, never remembered: a lab is found again after its maker was killed.

podman's own systemd mode is not used: on cgroup v1 it lays the host's whole `name=systemd` tree over the private one.
"""

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab import cgroups, netns, podman
from lab.command import call
from lab.disks import FileSpec, lay_down, mount, sow, unmount_below
from lab.errors import LabError
from lab.places import check_disk, run_dir, state_dir
from lab.rootfs import require, require_root

DISK_NEEDED = 3_000_000_000
"""Bytes that must be free before machines are booted: their images, journals and pods."""

_ASKED_ANEW = 5.0
_LIMITS = {"nofile": (resource.RLIMIT_NOFILE, 20000), "nproc": (resource.RLIMIT_NPROC, 10000)}
_DISKS = {"containerd": "/var/lib/containerd", "kubelet": "/var/lib/kubelet", "journal": "/var/log/journal"}
_TMPFS = {"/run": "exec,mode=755", "/run/lock": "mode=1777", "/tmp": "exec,mode=1777"}
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": os.environ.get("TERM", "dumb"),
}


@dataclass(frozen=True)
class Volume:
    """A folder or file of the host that a machine sees, such as the programs in the cache."""

    source: Path
    read_only: bool = True


@dataclass(frozen=True)
class Machine:
    """A node to boot: its files by absolute path, volumes by mount point, and the units that start with it.

    `seeds` are files of the host that a new disk starts with, by absolute path; later boots keep what the node made of them.
    """

    name: str
    files: Mapping[str, FileSpec] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    seeds: Mapping[str, Path] = field(default_factory=dict)
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """What podman knows of a machine: `running`, `paused`, `exited`, …; `pid` is its init on the host, 0 if none."""

    name: str
    state: str
    pid: int


def boot(
    bed: str, machines: Sequence[Machine], rootfs: Path, progress: Callable[[str], None] = lambda _: None
) -> set[str]:
    """Boot the machines that are not running, side by side; their network namespaces must exist.

    Those that run (or are paused) are left as they are, and returned. One that was off starts on its old disk, with its
    files laid down anew. Returns when all of them have an init process; `wait_running` waits for their services.
    """
    require_root()
    for program, package in (("podman", "podman"), ("runc", "runc"), ("conmon", "conmon"), ("nsenter", "util-linux")):
        require(program, package)
    podman.configure(bed)
    podman.end_strays(bed, time.monotonic() + 5)
    there = status(bed)
    missing = [machine for machine in machines if machine.name not in there or there[machine.name].pid == 0]
    ran = {machine.name for machine in machines} - {machine.name for machine in missing}
    if not missing:
        return ran
    check_disk(state_dir(bed), DISK_NEEDED)
    if stale := [machine.name for machine in missing if machine.name in there]:
        podman.call(bed, "rm", "--force", "--time", "0", *stale, timeout=60)
    progress(f"booting {len(missing)} machines: {', '.join(machine.name for machine in missing)}")
    with ThreadPoolExecutor(max_workers=len(missing)) as pool:
        list(pool.map(lambda machine: _boot(bed, machine, rootfs), missing))
    cgroups.weigh(bed)
    return ran


def wait_running(bed: str, name: str, deadline: float) -> None:
    """Wait until a machine's systemd says `running`: all started, nothing failed; `deadline` as of `time.monotonic()`.

    Raises `LabError` with the failed units and the end of their journal, or with what it still waits for.
    """
    said = "no answer"
    while True:
        # Asked anew every few seconds: one that begins to wait in the wrong moment of the boot is never told of its end.
        left = min(_ASKED_ANEW, max(1.0, deadline - time.monotonic()))
        with suppress(subprocess.TimeoutExpired):
            answer = run(bed, name, ["systemctl", "is-system-running", "--wait"], timeout=left)
            said = answer.stdout.strip() or answer.stderr.strip()
        if said == "running":
            return
        if said == "degraded":
            raise LabError(
                f"{name}: units failed while it booted\n{_failed_units(bed, name)}", remedy=f"python -m lab logs {name}"
            )
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    jobs = run(bed, name, ["systemctl", "list-jobs", "--no-legend"], timeout=10).stdout
    raise LabError(
        f"{name} did not come up in time: systemd says {said!r}\n{jobs}", remedy=f"python -m lab logs {name}"
    )


def begin_anew(bed: str, name: str, units: Sequence[str], deadline: float) -> None:
    """Forget which units of a running machine have failed, and start these where they do not run.

    What does not start is told by `wait_running`.
    """
    with suppress(subprocess.TimeoutExpired):
        run(bed, name, ["systemctl", "reset-failed"])
        run(bed, name, ["systemctl", "start", *units], timeout=max(1.0, deadline - time.monotonic()))


def run(
    bed: str, name: str, argv: Sequence[str], *, input: str | None = None, timeout: float = 30
) -> subprocess.CompletedProcess[str]:
    """Run a program in a machine as root (about 5 ms) and return its exit code and output.

    Raises `LabError` when the machine is not running and `subprocess.TimeoutExpired` after `timeout` seconds; the
    program and its children are ended then.
    """
    command = [*_enter(bed, name), "timeout", "--kill-after=1", f"{timeout:.3f}", *argv]
    started = time.monotonic()
    done = subprocess.run(
        command,
        input=input or "",
        capture_output=True,
        text=True,
        errors="replace",
        env=_ENVIRONMENT,
        timeout=timeout + 5,
        check=False,
    )
    if done.returncode in (124, 137) and time.monotonic() - started >= timeout:
        raise subprocess.TimeoutExpired(list(argv), timeout, done.stdout, done.stderr)
    return done


def feed(bed: str, name: str, argv: Sequence[str], source: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a program in a machine with a file of the host, which may be large, as its standard input."""
    with source.open("rb") as data:
        return subprocess.run(
            [*_enter(bed, name), *argv], stdin=data, capture_output=True, text=True, errors="replace",
            env=_ENVIRONMENT, timeout=timeout, check=False,
        )  # fmt: skip


def shell(bed: str, name: str, argv: Sequence[str] = ()) -> int:
    """Run a program (a login shell by default) in a machine on the caller's terminal; returns its exit code."""
    command = [*_enter(bed, name), *(argv or ["bash", "--login"])]
    return subprocess.run(command, env=_ENVIRONMENT, check=False).returncode


def put(bed: str, name: str, path: str, data: str | bytes, mode: int = 0o644) -> None:
    """Write a file of a running machine, whole or not at all; its folder is made if it is missing."""
    script = 'mkdir -p "${1%/*}" && umask 077 && cat > "$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"'
    command = [*_enter(bed, name), "sh", "-c", script, "put", path, f"{mode:o}"]
    content = data.encode() if isinstance(data, str) else data
    done = subprocess.run(command, input=content, capture_output=True, env=_ENVIRONMENT, timeout=30, check=False)
    if done.returncode != 0:
        raise LabError(f"{name}: cannot write {path}: {done.stderr.decode(errors='replace').strip()}")


def leader(bed: str, name: str) -> int:
    """Process id, on the host, of a machine's init. Raises `LabError` when the machine does not run."""
    try:
        pid = int((_machine_run(bed) / f"{name}.pid").read_text())
        # The id may have passed to another process since: the machine's init is the one in its network namespace.
        if os.stat(f"/proc/{pid}/ns/net").st_ino == netns.path(bed, name).stat().st_ino:
            return pid
    except (OSError, ValueError):
        pass
    raise LabError(f"machine {name} of bed {bed} is not running", remedy="python -m lab up")


def power_off(bed: str, name: str) -> None:
    """Cut the power: every process of the machine ends at once, its disk stays, its links lose their carrier."""
    podman.call(bed, "kill", "--signal", "KILL", name)
    netns.set_cables(bed, name, plugged=False)
    netns.clear(bed, name, state_dir(bed) / "nodes" / name / "root")


def power_on(bed: str, name: str) -> None:
    """Give a machine that was cut off its power back; it boots from its own disk."""
    netns.set_cables(bed, name, plugged=True)
    podman.call(bed, "start", name, timeout=60)


def status(bed: str) -> dict[str, State]:
    """Every machine of the bed that podman knows, by name."""
    if not podman.home(bed).exists():
        return {}
    said = podman.call(bed, "ps", "--all", "--format", "json").stdout
    found = [State(entry["Names"][0], entry["State"], int(entry["Pid"])) for entry in json.loads(said or "[]")]
    return {state.name: state for state in found}


def journal(bed: str, name: str) -> Path:
    """Folder of a machine's journal on the host; it outlives the machine's power (`journalctl --directory`)."""
    return state_dir(bed) / "nodes" / name / "journal"


def remove_all(bed: str) -> None:
    """Take away every machine of a bed: processes, mounts, disks and cgroups. Nothing there is no error."""
    if podman.home(bed).exists():
        podman.end_strays(bed, time.monotonic() + 5)
        with suppress(LabError):  # what a podman that hangs has not removed is ended below
            podman.call(bed, "rm", "--all", "--force", "--time", "0", timeout=60, check=False)
    podman.forget_containers(bed)
    cgroups.kill(bed)
    unmount_below(state_dir(bed))
    unmount_below(run_dir(bed))
    cgroups.remove(bed, time.monotonic() + 5)
    for folder in (state_dir(bed), _machine_run(bed), run_dir(bed) / "podman"):
        shutil.rmtree(folder, ignore_errors=True)


def _boot(bed: str, machine: Machine, rootfs: Path) -> None:
    home = state_dir(bed) / "nodes" / machine.name
    root = mount(home, rootfs)
    identity = {
        "/etc/machine-id": FileSpec(
            netns.mac(bed, machine.name, "machine-id").replace(":", "").ljust(32, "0") + "\n", 0o444
        )
    }
    for path, spec in {**identity, **machine.files}.items():
        lay_down(root, path, spec)
    if machine.units:
        call(["chroot", str(root), "systemctl", "--quiet", "enable", *machine.units], env=_ENVIRONMENT)
    volumes = []
    for disk, target in _DISKS.items():
        (home / disk).mkdir(exist_ok=True)
        volumes += ["--volume", f"{home / disk}:{target}"]
        sow(home / disk, target, machine.seeds)
    for target, volume in machine.volumes.items():
        volumes += ["--volume", f"{volume.source}:{target}:{'ro' if volume.read_only else 'rw'}"]
    limits = []
    for limit, (number, wanted) in _LIMITS.items():
        allowed = resource.getrlimit(number)[1]
        value = wanted if allowed == resource.RLIM_INFINITY else min(wanted, allowed)
        limits += ["--ulimit", f"{limit}={value}:{value}"]
    tmpfs = [text for place, options in _TMPFS.items() for text in ("--tmpfs", f"{place}:rw,nosuid,nodev,{options}")]
    argv = [
        "run", "--detach", "--name", machine.name, "--hostname", machine.name,
        "--pidfile", str(_machine_run(bed) / f"{machine.name}.pid"),
        "--network", f"ns:{netns.path(bed, machine.name)}", "--no-hosts", "--dns", "none",
        "--systemd", "false", "--env", "container=podman", "--privileged",
        "--cgroupns", "private", "--cgroup-parent", cgroups.parent(bed),
        *limits, *tmpfs, *volumes, "--rootfs", str(root), "/sbin/init",
    ]  # fmt: skip
    try:
        podman.call(bed, *argv, timeout=60)
    except LabError:
        # A podman that was killed while it made this very machine leaves half of it.
        podman.call(bed, "rm", "--force", "--ignore", "--time", "0", machine.name, timeout=60)
        podman.call(bed, *argv, timeout=60)


def _enter(bed: str, name: str) -> list[str]:
    return [
        "nsenter",
        "--target",
        str(leader(bed, name)),
        "--mount",
        "--uts",
        "--ipc",
        "--net",
        "--pid",
        "--cgroup",
        "--",
    ]


def _machine_run(bed: str) -> Path:
    folder = run_dir(bed) / "machines"
    folder.mkdir(exist_ok=True)
    return folder


def _failed_units(bed: str, name: str) -> str:
    units = run(bed, name, ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]).stdout.splitlines()
    names = [line.split()[0] for line in units if line.split()]
    ends = [
        run(bed, name, ["journalctl", "--no-pager", "--lines=5", "--output=cat", f"--unit={unit}"]).stdout
        for unit in names
    ]
    return "\n".join(f"{unit}:\n{end}" for unit, end in zip(names, ends, strict=True))
