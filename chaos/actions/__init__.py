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
    scratch,
    secrets,
    served,
    switch,
    vault,
    vault_looks,
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
    "scratch",
    "secrets",
    "served",
    "switch",
    "vault",
    "vault_looks",
]
