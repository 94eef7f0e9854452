"""A game-day: a plan of experiments that a team runs on purpose, in front of a screen, and a report of it."""
