"""Moto's server for every test of what is delivered."""

from tests.trails import client, config, credentials, metrics, moto_url

__all__ = ["client", "config", "credentials", "metrics", "moto_url"]
