"""Moto's server, as the tests of state have it."""

from tests.terraform.conftest import aws, moto_url

__all__ = ["aws", "moto_url"]
