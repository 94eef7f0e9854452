"""The containerd store that all nodes of a lab share: every image unpacked once, kept in the cache.

Importing images into each node costs a minute of disk writing at every `up`. Here a containerd of the node's own release
imports and unpacks them once; a node then gets the unpacked layers as read-only mounts and a copy of the two small
databases that name them. What its pods write goes to the node's own disk as before.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from lab.cache import digest, publish
from lab.command import CONFINED, call
from lab.machine import Volume

HOME = "/var/lib/containerd"
_CONTENT = "io.containerd.content.v1.content/blobs"
_SNAPSHOTS = "io.containerd.snapshotter.v1.overlayfs/snapshots"
_DATABASES = ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db")
_BUILD_LIMIT = 300.0
_CONFIG = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
restrict_oom_score_adj = true
"""
_BUILD = """\
set -eu
root=$1 store=$2 images=$3
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/run/images" "$root/run/store"
mount --bind "$images" "$root/run/images"
mount --bind "$store" "$root/run/store"
exec chroot "$root" /bin/sh -euc '
containerd --config /run/images/config.toml --log-level warn --root /run/store --state /run/containerd --address /run/c.sock &
daemon=$!
until timeout 2 ctr --address /run/c.sock version >/dev/null 2>&1; do kill -0 $daemon; sleep 0.1; done
for image in /run/images/*.tar; do
  ctr --address /run/c.sock --namespace k8s.io images import "$image"
done
kill $daemon
wait $daemon || true
'
"""


def ensure(rootfs: Path, tars: Mapping[str, Path]) -> Path:
    """The store that holds these images (name → OCI tar), unpacked; about 15 s where the cache lacks it."""

    def build(folder: Path) -> None:
        images, store = folder / "images", folder / "store"
        images.mkdir()
        store.mkdir()
        for name, tar in tars.items():
            (images / f"{name}.tar").hardlink_to(tar)
        (images / "config.toml").write_text(_CONFIG)
        # Namespaces of its own: whatever ends it, no mount and no containerd stays behind.
        argv = [*CONFINED, "--net", "--ipc", "sh", "-c", _BUILD, "store"]
        call([*argv, str(rootfs), str(store), str(images)], timeout=_BUILD_LIMIT)
        shutil.rmtree(images)

    key = digest([str(rootfs), sorted(map(str, tars.values())), _BUILD])
    return publish("image-store", key, build, needs=3 * sum(tar.stat().st_size for tar in tars.values())) / "store"


def volumes(store: Path) -> dict[str, Volume]:
    """The mounts by which a node sees the unpacked images, by mount point."""
    layers = sorted((store / _SNAPSHOTS).iterdir())
    shared = {f"{HOME}/{_SNAPSHOTS}/{layer.name}": Volume(layer) for layer in layers}
    return {f"{HOME}/{_CONTENT}": Volume(store / _CONTENT), **shared}


def seed(store: Path) -> dict[str, Path]:
    """The databases that a node starts with, by their place on its disk; each node writes to a copy of its own."""
    return {f"{HOME}/{name}": store / name for name in _DATABASES}
