"""How fast compressed files become records: decompression and the lazy scan, on one core, without comparing anything.

python -m bench.scan [FILES]
"""

import io
import os
import sys
import time

from isal import igzip

from bench import trail
from tfdrift_core.records.scan import scan
from tfdrift_core.sources.files import documents


def main() -> None:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    compressed = [igzip.compress(document) for document in trail.documents(files, 1000)]
    best = float("inf")
    for _ in range(5):
        # The time that this process has had a core, so that other load does not count.
        begun = time.process_time()
        read = found = 0
        for data in compressed:
            for document in documents(io.BytesIO(data)):
                result = scan(document, "bench")
                read += result.read
                found += len(result.records)
        best = min(best, time.process_time() - begun)
    print(f"{read:,} records, {found:,} of them parsed in full: {read / best:,.0f} a second of one core")


if __name__ == "__main__":
    main()
