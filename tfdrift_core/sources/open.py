"""Opens a source by what the user wrote."""

from tfdrift_core.config import Config, ConfigError
from tfdrift_core.config import Source as Entry
from tfdrift_core.metrics import Metrics
from tfdrift_core.records.sift import Sifter
from tfdrift_core.sources.base import Checkpoints, Source, SourceError
from tfdrift_core.sources.files import Files
from tfdrift_core.sources.follow import Follow
from tfdrift_core.sources.location import POSSIBLE, Location, locate


def open_source(
    entry: str | Entry, config: Config, checkpoints: Checkpoints, metrics: Metrics, sifter: Sifter | None = None
) -> Source:
    """One source.  Options follow the URL (``s3://bucket/prefix?start=7d``) or are the entry's other members.

    Nothing is asked of AWS here, and no file is opened.

    :raises SourceError: with what to write instead.
    """
    found = locate(entry)
    if found.is_file:
        return _file(found, checkpoints, metrics, sifter)
    # What speaks to AWS takes long to load, and reading files needs none of it.
    from tfdrift_core.sources import remote

    try:
        return remote.create(found, config, checkpoints, metrics, sifter)
    except ConfigError as error:
        raise SourceError(f"{found.url}: {error}") from error


def _file(place: Location, checkpoints: Checkpoints, metrics: Metrics, sifter: Sifter | None) -> Source:
    if not place.rest:
        raise SourceError(f"no source: write {POSSIBLE}")
    if place.replays:
        return Files(place.rest, metrics, sifter)
    return Follow(place.rest, checkpoints, metrics, sifter)
