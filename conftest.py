"""Loads the plugins; everything else is in fixtures/."""

pytest_plugins = ["fixtures.options", "fixtures.checks", "fixtures.bed", "fixtures.gate"]
