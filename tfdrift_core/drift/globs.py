"""Globs as users write them in the configuration: ``*`` is any text, ``?`` any one character, all else is literal."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate


def compile_glob(pattern: str) -> re.Pattern[str]:
    """The regular expression for a whole text.  Brackets are literal: Terraform addresses are full of them."""
    return re.compile(translate(pattern.replace("[", "[[]")))


@dataclass(frozen=True, slots=True)
class Globs:
    """Any of some globs."""

    patterns: tuple[str, ...]
    compiled: tuple[re.Pattern[str], ...]
    joined: re.Pattern[str]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> "Globs":
        texts = tuple(patterns)
        compiled = tuple(compile_glob(text) for text in texts)
        return cls(texts, compiled, re.compile("|".join(glob.pattern for glob in compiled) or "(?!)"))

    def match(self, *texts: str) -> bool:
        """Whether any glob is any of ``texts``; a text that is empty is unknown, and matches nothing."""
        return any(self.match_any(text) for text in texts if text)

    def match_any(self, text: str) -> bool:
        """Whether any glob is ``text``, which may be empty."""
        return self.joined.match(text) is not None
