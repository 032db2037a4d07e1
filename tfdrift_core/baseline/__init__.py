"""Drift from before the start, and what no record tells of: plans that somebody makes, say each night."""
