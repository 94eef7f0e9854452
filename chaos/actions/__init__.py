"""What faults are made of. Each module registers its actions by name; importing this package registers them all."""
