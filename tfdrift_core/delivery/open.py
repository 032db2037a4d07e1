"""Opens the sources of a configuration, each with the ledger that remembers how far it has come."""

import logging
from functools import partial
from pathlib import Path

from tfdrift_core.config import Config
from tfdrift_core.delivery.drifts import Shared
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.delivery.tracked import Tracked
from tfdrift_core.metrics import Metrics
from tfdrift_core.records.sift import Sifter
from tfdrift_core.sources.base import SourceError
from tfdrift_core.sources.files import Files
from tfdrift_core.sources.location import POSSIBLE, locate, to_read
from tfdrift_core.sources.merged import Merged
from tfdrift_core.sources.open import open_source

_log = logging.getLogger("tfdrift.cloudtrail")


def open_sources(open_params: str, config: Config, metrics: Metrics, sifter: Sifter | None = None) -> Tracked:
    """The source that ``open_params`` names, or those of ``init_config.sources``, merged.

    :raises SourceError: with what to write instead.
    """
    entries = to_read(open_params, config)
    if not entries:
        raise SourceError(f"no source: set open_params, or sources in init_config, to {POSSIBLE}")
    lasting = not all(locate(entry).replays for entry in entries)
    if not config.data_dir and any(not locate(entry).ends for entry in entries):
        _log.warning("no data_dir: checkpoints are kept in memory only, and a restart begins anew")
    if lasting and config.data_dir and not Path(config.data_dir).is_absolute():
        _log.warning(
            "data_dir %s: is below the directory that the process was started in, so it is %s; write the whole path",
            config.data_dir,
            Path(config.data_dir).absolute(),
        )
    # Reading files once needs no checkpoints, and must not wait for a Falco that uses the same data_dir.
    ledger = Ledger(config.data_dir if lasting else "", config.redeliver)
    try:
        makers = [partial(open_source, entry, config, ledger, metrics, sifter) for entry in entries]
        for source in (make() for make, entry in zip(makers, entries, strict=True) if locate(entry).replays):
            if isinstance(source, Files):
                source.files()  # a wrong path is to be known while Falco starts, not later
        make = makers[0] if len(makers) == 1 else lambda: Merged(makers, metrics)
        return Tracked(make, ledger, _shared(config, ledger) if lasting and config.store else None)
    except SourceError:
        ledger.close()
        raise


def _shared(config: Config, ledger: Ledger) -> Shared:
    # What speaks to AWS takes long to load, and few have replicas.
    from tfdrift_core.delivery.shared import SharedStore

    return SharedStore(config.store, config.aws, ledger.replica)
