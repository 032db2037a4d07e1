"""What a command may show of the configured sources, without an effect on the Falco that reads them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tfdrift_core.config import Config, Source
from tfdrift_core.sources.base import SourceError
from tfdrift_core.sources.location import locate, to_read

LATEST: Final = "24h"
"""How far back a bucket or LookupEvents is read where nobody says."""


def only_shown(config: Config, open_params: str, since: str = "", until: str = "") -> Config:
    """The configuration with the sources to read as history: it ends, and neither checkpoint nor message is touched.

    Received messages are hidden from others, count as deliveries and may end in the dead-letter queue: no look at a
    queue is without effect, so a queue is refused.

    :raises SourceError: when a source is a queue, or none.
    """
    sources = tuple(_ended(source, since, until) for source in to_read(open_params, config))
    return replace(config, sources=sources, data_dir="", store="", remind_after=0.0)


def read_back(sources: Sequence[Source]) -> list[str]:
    """The sources that are read from ``LATEST`` on because nobody said from when."""
    return [source.url for source in sources if source.options.get("start") == LATEST]


def _ended(source: Source, since: str, until: str) -> Source:
    place = locate(source)
    if place.scheme == "sqs":
        raise SourceError(
            f"{source.url}: showing what a queue holds would take it from the Falco that reads the queue; show the same"
            f" time from elsewhere, before -c or after it: lookup://?start={LATEST}, s3://BUCKET/PREFIX?start={LATEST},"
            " or files; tfdrift run -c FILE reads the queue, as Falco does"
        )
    options = {**source.options, "follow": False}
    if not place.is_file:
        given = {name: text for name, text in (("start", since), ("end", until)) if text}
        begins = place.options.moment("start") is not None
        options |= given if since or begins else {"start": LATEST, **given}
    return Source(source.url, options)
