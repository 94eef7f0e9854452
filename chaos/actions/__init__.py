"""What faults are made of. Each module registers its actions by name; importing this package registers them all."""

from chaos.actions import (
    certificates,
    files,
    inventory,
    kubernetes,
    links,
    ngfw,
    node,
    packets,
    pod,
    prometheus,
    scratch,
    secrets,
    served,
    switch,
)

__all__ = [
    "certificates",
    "files",
    "inventory",
    "kubernetes",
    "links",
    "ngfw",
    "node",
    "packets",
    "pod",
    "prometheus",
    "scratch",
    "secrets",
    "served",
    "switch",
]
