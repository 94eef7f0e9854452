"""Load: what users of a bed do, and the engine that lets many of them do it."""
