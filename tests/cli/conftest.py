"""Moto's server, for commands that ask AWS."""

from tests.trails import client, credentials, moto_url

__all__ = ["client", "credentials", "moto_url"]
