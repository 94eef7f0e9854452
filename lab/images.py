"""The container images of the lab, made here: no registry serves them.

An image is an OCI layout in a tar file, as `ctr images import` takes it. Its layers are not compressed, since they are
unpacked on the machine that made them. A recipe is a row of `RECIPES`.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab import programs, rootfs
from lab.cache import digest, publish
from lab.errors import LabError
from lab.progress import Progress

REGISTRY = "lab.plumbline"
_HERE = Path(__file__).parent
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Recipe:
    """What is in an image: programs of the lab (by name, in /usr/local/bin) on top of Debian packages, if any."""

    name: str
    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    tag: str = "1"

    @property
    def reference(self) -> str:
        """The name under which Kubernetes asks for the image."""
        return f"{REGISTRY}/{self.name}:{self.tag}"


_AGENT = ("python3-minimal", "python3", "iproute2", "iputils-ping", "curl", "ca-certificates", "procps", "libnfs-utils")
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("pause", ("pause",), entrypoint=("/usr/local/bin/pause",)),
        Recipe("caddy", ("caddy",), entrypoint=("/usr/local/bin/caddy",)),
        Recipe("coredns", ("coredns",), entrypoint=("/usr/local/bin/coredns",)),
        Recipe("cert-manager", ("cert-manager-controller",), entrypoint=("/usr/local/bin/cert-manager-controller",)),
        Recipe("metrics-server", ("metrics-server",), entrypoint=("/usr/local/bin/metrics-server",)),
        Recipe("k6", ("k6",), packages=_AGENT),
        Recipe("agent", packages=_AGENT),
        Recipe(
            "services",
            packages=(
                *_AGENT, "postgresql-15", "pgbouncer", "prometheus", "prometheus-snmp-exporter", "nfs-ganesha",
                "nfs-ganesha-vfs", "rpcbind", "python3-psycopg2", "snmp", "openssl",
            ),
        ),
        Recipe("browser", packages=(*_AGENT, "chromium")),
    )
}  # fmt: skip


def ensure_images(names: Iterable[str], progress: Progress | None = None) -> dict[str, Path]:
    """Name → tar file of the images wanted, making those that the cache lacks. LabError names an unknown one."""
    progress = progress or Progress()
    wanted = sorted(set(names))
    if unknown := [name for name in wanted if name not in RECIPES]:
        raise LabError(f"unknown image: {', '.join(unknown)}", remedy=f"one of: {', '.join(sorted(RECIPES))}")
    return {name: _ensure(RECIPES[name], progress) for name in wanted}


def write_image(target: Path, reference: str, layers: list[Path], config: Mapping[str, Any]) -> None:
    """Write an OCI layout with these layers (tar files) under the name `reference`. The same input gives the same file."""
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


def program_layer(target: Path, files: Mapping[str, Path]) -> None:
    """Write a layer with these programs in /usr/local/bin, and the folders that a program expects to find."""
    with tarfile.open(target, "w") as tar:
        for folder, mode in (("tmp", 0o1777), ("etc", 0o755), ("usr", 0o755), ("usr/local", 0o755), ("usr/local/bin", 0o755)):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, mode
            tar.addfile(member)
        for name, path in sorted(files.items()):
            member = tarfile.TarInfo(f"usr/local/bin/{name}")
            member.size, member.mode = path.stat().st_size, 0o755
            with path.open("rb") as data:
                tar.addfile(member, data)


def _ensure(recipe: Recipe, progress: Progress) -> Path:
    found = programs.ensure(recipe.programs, progress) if recipe.programs else {}
    key = digest([asdict(recipe), sorted(map(str, found.values())), (_HERE / "images.sh").read_text(), rootfs.SUITE])
    name = f"image {recipe.name}"

    def build(folder: Path) -> None:
        with progress.step(name, estimate=60 if recipe.packages else 2):
            layers = []
            if recipe.packages:
                base = folder / "base.tar"
                rootfs.debootstrap(base, list(recipe.packages), _HERE / "images.sh", lambda text: progress.detail(name, text))
                layers.append(base)
            if found:
                program_layer(folder / "programs.tar", found)
                layers.append(folder / "programs.tar")
            config = {"Entrypoint": list(recipe.entrypoint), "Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
            write_image(folder / "image.tar", recipe.reference, layers, config)
            for rest in folder.iterdir():
                if rest.name != "image.tar":
                    rest.unlink()

    return publish(f"image-{recipe.name}", key, build, needs=2_500_000_000 if recipe.packages else 300_000_000) / "image.tar"


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
