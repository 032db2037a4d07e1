"""Sends Falco's alerts to people, without falcosidekick."""
