"""From the drift of a refresh-only plan to the calls that made it."""
