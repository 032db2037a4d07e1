"""What a report says of itself."""

from dataclasses import dataclass

from tfdrift_core import __version__
from tfdrift_core.text import one_line


@dataclass(frozen=True, slots=True)
class About:
    """``generated`` is RFC 3339; ``sources`` are the files it was made from; ``root`` is the repository's folder."""

    generated: str = ""
    sources: tuple[str, ...] = ()
    root: str = ""

    @property
    def text(self) -> str:
        """When the report was made, by what and from what, as one line."""
        time = f" on {self.generated.replace('T', ' ').replace('Z', ' UTC')}" if self.generated else ""
        source = f" from {', '.join(map(one_line, self.sources))}" if self.sources else ""
        return f"Made by TFDrift {__version__}{time}{source}"


UNKNOWN = About()
