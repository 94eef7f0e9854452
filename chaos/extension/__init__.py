"""The extension for Chaos Toolkit: plumbline's actions, probes, tolerances and control, for the experiments of a game-day.

`chaos discover --no-install chaos` tells of them. An experiment names the control `chaos.extension.controls` with its bed,
and has an extension `plumbline` (chaos/declared.py); its method records, injects, looks and undoes.
"""
