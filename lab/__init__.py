"""The embedded bed: it realises a bed file on one machine, out of real programs."""
