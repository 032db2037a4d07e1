"""Where the plugin and its rules are: in a checkout, in the artifact, or where pip has put this package."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]
_IN_CHECKOUT = (_CHECKOUT / "build_plugin.py").is_file()

BUNDLED = (_PACKAGE.parents[1] / "runtime.conf").is_file()
"""This is the artifact, ``tfdrift-<version>/site/tfdrift_plugin``: its library lies beside that directory."""
RULES = (_CHECKOUT if _IN_CHECKOUT else _PACKAGE) / "rules" / "tfdrift_rules.yaml"


def _library() -> Path:
    if _IN_CHECKOUT:
        return _CHECKOUT / "build" / "libtfdrift.so"
    return (_PACKAGE.parents[2] if BUNDLED else _PACKAGE / "built") / "libtfdrift.so"


LIBRARY = _library()
