"""Globs as users write them in the configuration: ``*`` is any text, ``?`` any one character, all else is literal."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate


def _literal_brackets(pattern: str) -> str:
    """The glob for ``fnmatch``, to which brackets mean something.  Terraform addresses are full of them."""
    return pattern.replace("[", "[[]")


def fits(pattern: str, text: str) -> bool:
    """Whether a glob is the whole of a text."""
    return fnmatchcase(text, _literal_brackets(pattern))


@dataclass(frozen=True, slots=True)
class Globs:
    """Any of some globs."""

    patterns: tuple[str, ...]
    joined: re.Pattern[str]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> "Globs":
        texts = tuple(patterns)
        return cls(texts, re.compile("|".join(translate(_literal_brackets(text)) for text in texts) or "(?!)"))

    def match(self, *texts: str) -> bool:
        """Whether any glob is any of ``texts``; a text that is empty is unknown, and matches nothing."""
        return any(self.match_any(text) for text in texts if text)

    def match_any(self, text: str) -> bool:
        """Whether any glob is ``text``, which may be empty."""
        return self.joined.match(text) is not None
