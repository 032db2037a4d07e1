"""Where the plugin and its rules are: in a checkout, or where pip has put this package."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]
_IN_CHECKOUT = (_CHECKOUT / "build_plugin.py").is_file()

LIBRARY = _CHECKOUT / "build" / "libtfdrift.so" if _IN_CHECKOUT else _PACKAGE / "built" / "libtfdrift.so"
RULES = (_CHECKOUT if _IN_CHECKOUT else _PACKAGE) / "rules" / "tfdrift_rules.yaml"
