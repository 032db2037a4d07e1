"""The ``tfdrift`` command under a name that no other package can take: ``python -m tfdrift_core``."""

import sys

from tfdrift_core.cli import main

sys.exit(main())
