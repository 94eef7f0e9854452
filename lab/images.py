"""The container images of the lab, made here: no registry serves them.

An image is an OCI layout in a tar file, as `ctr images import` takes it. Its layers are not compressed, since they are
unpacked on the machine that made them. A recipe is a row of `RECIPES`.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab import programs, python_layer, rootfs
from lab.cache import cached, digest, publish
from lab.errors import LabError
from lab.progress import Progress

REGISTRY = "lab.plumbline"
_HERE = Path(__file__).parent
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_PATH = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FOLDERS = {"bin": 0o755, "etc": 0o755, "usr": 0o755, "usr/local": 0o755, "usr/local/bin": 0o755, "tmp": 0o1777}
_SIDE_BY_SIDE = 2
_DEBIAN_NEEDS, _PLAIN_NEEDS = 2_500_000_000, 300_000_000
"""Bytes that making an image takes, with Debian packages and without."""


@dataclass(frozen=True)
class Recipe:
    """What is in an image: programs of the lab (by name, in /usr/local/bin) on top of Debian packages, if any.

    `busybox` adds a static shell and its usual commands in /bin, for images without packages. `python` names a lock
    file in requirements/. `seconds` is what making it takes on two cores.
    """

    name: str
    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    tag: str = "1"
    busybox: bool = False
    python: str = ""
    seconds: float = 1

    @property
    def reference(self) -> str:
        """The name under which Kubernetes asks for the image."""
        return f"{REGISTRY}/{self.name}:{self.tag}"


_AGENT = ("python3-minimal", "python3", "iproute2", "iputils-ping", "curl", "ca-certificates", "procps", "libnfs-utils")
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("pause", ("pause",), entrypoint=("/usr/local/bin/pause",)),
        Recipe("busybox", busybox=True, entrypoint=("/bin/sh",)),
        Recipe("caddy", ("caddy",), entrypoint=("/usr/local/bin/caddy",), busybox=True),
        Recipe("cni", ("dhcp",), entrypoint=("/usr/local/bin/dhcp", "daemon"), busybox=True),
        Recipe("coredns", ("coredns",), entrypoint=("/usr/local/bin/coredns",)),
        Recipe("cert-manager", ("cert-manager-controller",), entrypoint=("/usr/local/bin/cert-manager-controller",)),
        Recipe("metrics-server", ("metrics-server",), entrypoint=("/usr/local/bin/metrics-server",)),
        Recipe("agent", packages=_AGENT, seconds=30),
        Recipe("load", packages=_AGENT, python="load", seconds=15),
        Recipe("k6", ("k6",), packages=_AGENT, seconds=3),
        Recipe(
            "services",
            packages=(
                *_AGENT, "postgresql-15", "pgbouncer", "prometheus", "prometheus-snmp-exporter", "nfs-ganesha",
                "nfs-ganesha-vfs", "rpcbind", "python3-psycopg2", "snmp", "openssl", "nginx-light",
            ),
            seconds=50,
        ),
        Recipe("browser", packages=(*_AGENT, "chromium-headless-shell", "fonts-dejavu-core"), seconds=60),
    )
}  # fmt: skip


def ensure_images(names: Iterable[str], progress: Progress | None = None) -> dict[str, Path]:
    """Name → tar file of the images wanted, making those that the cache lacks. LabError names an unknown one."""
    progress = progress or Progress()
    wanted = sorted(set(names))
    if unknown := [name for name in wanted if name not in RECIPES]:
        raise LabError(f"unknown image: {', '.join(unknown)}", remedy=f"one of: {', '.join(sorted(RECIPES))}")
    recipes = [RECIPES[name] for name in wanted]
    files = programs.ensure({program for recipe in recipes for program in recipe.programs}, progress)
    places = {recipe.name: (f"image-{recipe.name}", _key(recipe)) for recipe in recipes}
    missing = [recipe for recipe in recipes if not cached(*places[recipe.name])]
    progress.plan({f"image {recipe.name}": recipe.seconds for recipe in missing})
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        list(pool.map(lambda recipe: _make(recipe, places[recipe.name], files, progress), missing))
    return {recipe.name: publish(*places[recipe.name], _gone) / "image.tar" for recipe in recipes}


def write_image(target: Path, reference: str, layers: list[Path], config: Mapping[str, Any]) -> None:
    """Write an OCI layout of these layers (tar files), named `reference`. The same input gives the same file."""
    digests = [f"sha256:{_sha256(layer)}" for layer in layers]
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": digests},
    }
    config_blob = _json(document)
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config_blob),
            "layers": [
                {"mediaType": _LAYER, "digest": name, "size": layer.stat().st_size}
                for name, layer in zip(digests, layers, strict=True)
            ],
        }
    )
    index = {
        "schemaVersion": 2,
        "manifests": [
            _descriptor(_MANIFEST, manifest) | {"annotations": {"io.containerd.image.name": reference}},
        ],
    }
    with tarfile.open(target, "w") as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json(index))
        for blob in (config_blob, manifest):
            _add(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        for name, layer in dict(zip(digests, layers, strict=True)).items():
            member = tarfile.TarInfo(f"blobs/sha256/{name.removeprefix('sha256:')}")
            member.size = layer.stat().st_size
            with layer.open("rb") as data:
                tar.addfile(member, data)


def program_layer(target: Path, files: Mapping[str, Path], *, busybox: Path | None = None) -> None:
    """Write a layer with these programs in /usr/local/bin, and the folders that a program expects to find."""
    with tarfile.open(target, "w") as tar:
        for folder, mode in _FOLDERS.items():
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, mode
            tar.addfile(member)
        placed = {f"usr/local/bin/{name}": path for name, path in files.items()}
        for name, path in sorted((placed | ({"bin/busybox": busybox} if busybox else {})).items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = path.stat().st_size, 0o755
            with path.open("rb") as data:
                tar.addfile(member, data)
        for command in _commands(busybox) if busybox else []:
            member = tarfile.TarInfo(f"bin/{command}")
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, "busybox", 0o777
            tar.addfile(member)


def _commands(busybox: Path) -> list[str]:
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, timeout=10, check=True).stdout
    return sorted(set(listed.split()) - {"busybox"})


def _key(recipe: Recipe) -> str:
    row = {name: value for name, value in asdict(recipe).items() if name not in ("seconds", "python")}
    used = [programs.key(name) for name in recipe.programs]
    locked = [python_layer.lock(recipe.python)] if recipe.python else []
    return digest([row, used, _base_key(recipe), str(_FOLDERS), rootfs.digest() if recipe.busybox else "", *locked])


def _base_key(recipe: Recipe) -> str:
    return digest([recipe.packages, (_HERE / "images.sh").read_text(), rootfs.SUITE])


def _make(recipe: Recipe, place: tuple[str, str], files: Mapping[str, Path], progress: Progress) -> None:
    step = f"image {recipe.name}"

    def build_base(folder: Path) -> None:
        packages, script = list(recipe.packages), _HERE / "images.sh"
        rootfs.debootstrap(folder / "base.tar", packages, script, lambda text: progress.detail(step, text))

    def build(folder: Path) -> None:
        layers = []
        if recipe.packages:
            # An artefact of its own: images of the same packages share it, here and on a node.
            layers.append(publish("layer", _base_key(recipe), build_base, needs=_DEBIAN_NEEDS) / "base.tar")
        top, packages = folder / "programs.tar", folder / "packages.tar"
        if recipe.programs or recipe.busybox:
            busybox = rootfs.ensure() / "bin/busybox" if recipe.busybox else None
            program_layer(top, {name: files[name] for name in recipe.programs}, busybox=busybox)
            layers.append(top)
        if recipe.python:
            python_layer.write(packages, recipe.python)
            layers.append(packages)
        config = {"Entrypoint": list(recipe.entrypoint), "Env": [_PATH]}
        write_image(folder / "image.tar", recipe.reference, layers, config)
        for layer in (top, packages):
            layer.unlink(missing_ok=True)

    with progress.step(step, estimate=recipe.seconds):
        publish(*place, build, needs=_DEBIAN_NEEDS if recipe.packages else _PLAIN_NEEDS)


def _gone(folder: Path) -> None:
    raise LabError(f"an image has vanished from the cache while it was wanted: {folder}", remedy="run it again")


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
