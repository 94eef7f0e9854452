"""One module a client; its name is how an experiment names it."""
