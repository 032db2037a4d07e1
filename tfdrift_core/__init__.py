"""Detects AWS changes made outside Terraform by comparing CloudTrail records with Terraform state."""

__version__ = "0.1.0"
