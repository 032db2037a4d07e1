"""A report of drift that needs no stack: one HTML page, JSON or CSV."""
