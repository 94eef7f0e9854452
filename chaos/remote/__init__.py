"""Programs that actions send to a node by standard input, to be run there by its own Python: standard library only."""
