"""Moto's server for every test of a source."""

from tests.trails import client, config, credentials, metrics, moto_url

__all__ = ["client", "config", "credentials", "metrics", "moto_url"]
