"""What faults are made of. Each module registers its actions by name; importing this package registers them all."""

from chaos.actions import links, packets

__all__ = ["links", "packets"]
