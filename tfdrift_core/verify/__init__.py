"""From open drift to Terraform's own word on it: a refresh-only plan, and what it says of each."""
