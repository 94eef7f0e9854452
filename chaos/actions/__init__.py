"""What faults are made of. Each module registers its actions by name; importing this package registers them all."""

from chaos.actions import (
    certificates,
    consul,
    consul_looks,
    files,
    inventory,
    kubernetes,
    links,
    ngfw,
    node,
    packets,
    pod,
    scratch,
    secrets,
    served,
    switch,
)

__all__ = [
    "certificates",
    "consul",
    "consul_looks",
    "files",
    "inventory",
    "kubernetes",
    "links",
    "ngfw",
    "node",
    "packets",
    "pod",
    "scratch",
    "secrets",
    "served",
    "switch",
]
