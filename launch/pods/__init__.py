"""An experiment on several machines: TPU VMs, GKE, SkyPilot, Slurm, or the same rehearsed by processes of this machine.

Each place is one module with its `Settings` and a pure function `plan(job, settings) -> Plan`: the commands and files of
a start, which `--dry_run` prints. Nothing is guessed: what a place needs comes from flags or one YAML file.
"""
