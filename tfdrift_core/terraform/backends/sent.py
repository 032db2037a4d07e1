"""Who sees which credentials: those of Falco's environment go only where Falco's own configuration sends them.

A repository names a backend as well, and whoever may write there would otherwise choose who is sent a token.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from tfdrift_core.config import ConfigError

_PORTS: Mapping[str, str] = {"https": "443", "http": "80", "pg": "5432"}
_SAFE = ("https", "pg")
_SERVER = re.compile(r"(https?|pg)://(\[[0-9a-f:.]+\]|[^\[\]:/?#@]+)(?::([0-9]*))?(?:[/?#].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a backend sends, and to whom.

    ``server`` is where to, as ``https://host`` or with a port that is not the scheme's own.  ``credentials`` names, for
    messages, where they come from, and is "" where none are sent.  ``bound`` says that they are that server's by their
    own name, as ``TF_TOKEN_host`` is.  ``verified`` is false where an option says whom to trust instead of the system.
    """

    server: str = ""
    credentials: str = ""
    bound: bool = True
    verified: bool = True

    def objection(self, named: Collection[str]) -> str:
        """Why this may not be sent where a repository alone says so; ``named`` are the servers named elsewhere."""
        if not self.credentials or self.bound:
            return ""
        if not self.verified:
            return (
                f"it names {self.server} and whose certificate to trust there, and {self.credentials} would be sent; "
                "name the state under state: if that is right"
            )
        if self.server and self.server in named:
            return ""
        return (
            f"only the repository names {self.server}, and {self.credentials} would be sent there; if that is right, "
            f"add it: credential_hosts: [{self.server.removeprefix('https://').removeprefix('pg://')!r}]"
        )


NOTHING_SENT: Final = Sent()


def server_of(url: str) -> str:
    """``https://host`` of an address, with the port where it is not the scheme's own; "" where none can be told."""
    found = _SERVER.fullmatch(url.lower())
    if found is None:
        return ""
    scheme, host, port = found.groups()
    return f"{scheme}://{host}" + (f":{port}" if port and port != _PORTS[scheme] else "")


def servers_named(host: str) -> Collection[str]:
    """The servers that an entry of ``credential_hosts`` stands for.

    A bare host is one of https or of PostgreSQL; plain http has to be asked for.

    :raises ConfigError: when it is no host.
    """
    found = {server_of(host if "://" in host else f"{scheme}://{host}") for scheme in _SAFE}
    if "" in found or "/" in host.rstrip("/").rpartition("://")[2]:
        raise ConfigError(
            f"init_config.credential_hosts: {host!r} is no host; write host, host:port or http://host:port"
        )
    return found
