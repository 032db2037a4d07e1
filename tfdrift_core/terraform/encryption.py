"""States that OpenTofu has encrypted: AES-GCM with a key from a passphrase (PBKDF2) or from AWS KMS.

https://opentofu.org/docs/language/state/encryption/ says what can be configured.  The document has the encrypted state
in ``encrypted_data``: base64 of a nonce of 12 bytes, the data, and a tag of 16.  ``meta`` has for each key provider
what its key is made from: salt, iterations, hash and length, or the data key as KMS encrypted it.
"""

import base64
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from tfdrift_core.config import Aws
from tfdrift_core.terraform import hcl
from tfdrift_core.terraform.scan import StateError

PASSPHRASE: Final = "TFDRIFT_STATE_PASSPHRASE"  # noqa: S105 - the name of a variable
TOFU: Final = "TF_ENCRYPTION"
"""OpenTofu's own variable: the configuration of encryption, in HCL or JSON."""

_NONCE: Final = 12
_MOST_ITERATIONS: Final = 20_000_000
_LENGTHS: Final = (16, 24, 32)
_HASHES: Final = ("sha256", "sha512")
_MOST_KEYS: Final = 10

Key = Callable[[], bytes]


def decrypted(raw: bytes, access: Aws, environment: Mapping[str, str] = os.environ) -> bytes:
    """The state inside of an encrypted document.

    :raises StateError: when it cannot be decrypted; the message says what is missing, and never a secret.
    """
    document, data = _document(raw)
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise StateError(
            "the state is encrypted by OpenTofu, and cryptography, which decrypts it, is missing: "
            "pip install 'tfdrift-falco[encryption]'"
        ) from None
    # boto3 takes long to load, and few states are encrypted.
    from tfdrift_core import aws

    problems: dict[str, None] = {}
    for made_from in _metas(document):
        for source, key in _keys(made_from, access, environment, problems):
            try:
                return AESGCM(key()).decrypt(data[:_NONCE], data[_NONCE:], None)
            except (InvalidTag, ValueError):
                problems[f"{source} is not what it was encrypted with, or the state is damaged"] = None
            except aws.ERRORS as error:
                problems[f"AWS KMS does not decrypt its key ({error}); allow kms:Decrypt on that key"] = None
    raise StateError(f"the state is encrypted by OpenTofu: {'; '.join(problems) or 'no key provider is named in it'}")


def _bytes(value: object) -> bytes:
    """:raises ValueError: when it is not base64."""
    if not isinstance(value, str):
        raise ValueError("no text")
    return base64.b64decode(value, validate=True)


def _document(raw: bytes) -> tuple[Mapping[str, Any], bytes]:
    try:
        document = orjson.loads(raw)
        data = _bytes(document["encrypted_data"])
    except (ValueError, KeyError, TypeError):
        raise StateError("the state is encrypted by OpenTofu, and damaged: restore it or push it anew") from None
    if document.get("encryption_version") != "v0":
        raise StateError("the state is encrypted in a form that is newer than this TFDrift; update TFDrift")
    return document, data


def _metas(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    meta = document.get("meta")
    for value in list(meta.values() if isinstance(meta, dict) else ())[:_MOST_KEYS]:
        try:
            found = orjson.loads(_bytes(value)) if isinstance(value, str) else value
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def _keys(
    made_from: Mapping[str, Any], access: Aws, environment: Mapping[str, str], problems: dict[str, None]
) -> Iterator[tuple[str, Key]]:
    """Where each key comes from that may fit, and the key."""
    if "ciphertext_blob" in made_from:
        yield "the key of AWS KMS", lambda: _from_kms(made_from, access, environment)
    elif "salt" in made_from:
        passphrases = dict(_passphrases(environment))
        if not passphrases:
            problems[f"set its passphrase in {PASSPHRASE}, or {TOFU} as for OpenTofu, where Falco runs"] = None
        for source, passphrase in passphrases.items():
            yield f"the passphrase of {source}", lambda passphrase=passphrase: _from_passphrase(made_from, passphrase)  # type: ignore[misc]
    else:
        problems["its key provider is neither pbkdf2 nor aws_kms, the ones that TFDrift knows"] = None


def _from_kms(made_from: Mapping[str, Any], access: Aws, environment: Mapping[str, str]) -> bytes:
    from tfdrift_core import aws

    regions = [text for block in _providers(environment, "aws_kms") if isinstance(text := block.get("region"), str)]
    reach = replace(access, region=regions[0]) if regions and not access.region else access
    blob = _bytes(made_from["ciphertext_blob"])
    key: bytes = aws.client(reach, "kms").decrypt(CiphertextBlob=blob)["Plaintext"]
    return key


def _from_passphrase(made_from: Mapping[str, Any], passphrase: str) -> bytes:
    """:raises ValueError: when the state asks for what OpenTofu never makes."""
    count, length, name = (made_from.get(member) for member in ("iterations", "key_length", "hash_function"))
    salt = _bytes(made_from["salt"])
    if not (isinstance(count, int) and 0 < count <= _MOST_ITERATIONS and length in _LENGTHS and name in _HASHES):
        raise ValueError("no key that OpenTofu makes")
    return hashlib.pbkdf2_hmac(str(name), passphrase.encode("utf-8", "surrogateescape"), salt, count, length)


def _passphrases(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if own := environment.get(PASSPHRASE):
        yield PASSPHRASE, own
    for number, block in enumerate(_providers(environment, "pbkdf2")):
        if isinstance(text := block.get("passphrase"), str):
            yield TOFU if number == 0 else f"{TOFU} ({number + 1})", text


def _providers(environment: Mapping[str, str], type: str) -> Iterator[Mapping[str, Any]]:
    """The literals of the key providers of this type that OpenTofu's variable configures."""
    text = environment.get(TOFU, "")
    if text.lstrip().startswith("{"):
        try:
            given = orjson.loads(text)["key_provider"][type]
        except (ValueError, KeyError, TypeError):
            return
        yield from (block for block in given.values() if isinstance(block, dict)) if isinstance(given, dict) else ()
        return
    try:
        body = hcl.parse(text)
    except (hcl.HclError, RecursionError):
        return
    for block in body.all("key_provider", type):
        yield block.body.literals()
