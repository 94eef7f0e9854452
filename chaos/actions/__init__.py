"""What faults are made of. Each module registers its actions by name; importing this package registers them all."""

from chaos.actions import files, links, node, packets

__all__ = ["files", "links", "node", "packets"]
