"""States as OpenTofu encrypts them: read with the right key, and told plainly without it."""

import base64
import hashlib
import json
import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.terraform.states import ec2, resource, state
from tfdrift_core.config import Aws, load
from tfdrift_core.terraform import encryption
from tfdrift_core.terraform.encryption import decrypted
from tfdrift_core.terraform.scan import StateError
from tfdrift_core.terraform.store import StateStore

PASSPHRASE = "correct-horse-battery-staple"
PLAIN = json.dumps(state(resource("aws_instance", "web", ec2()))).encode()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sealed(key: bytes, plain: bytes = PLAIN) -> str:
    nonce = os.urandom(12)
    return text(nonce + AESGCM(key).encrypt(nonce, plain, None))


def document(data: str, meta: dict[str, Any], *, version: str = "v0") -> bytes:
    """As OpenTofu writes it: what a key is made from is JSON, in base64."""
    metas = {name: text(json.dumps(value).encode()) for name, value in meta.items()}
    return json.dumps(
        {"serial": 3, "lineage": "l", "meta": metas, "encrypted_data": data, "encryption_version": version}
    ).encode()


def by_passphrase(passphrase: str = PASSPHRASE, length: int = 32, name: str = "sha512", **changes: Any) -> bytes:
    salt = os.urandom(32)
    key = hashlib.pbkdf2_hmac(name, passphrase.encode(), salt, 1000, length)
    made_from = {"salt": text(salt), "iterations": 1000, "hash_function": name, "key_length": length, **changes}
    return document(sealed(key), {"key_provider.pbkdf2.main": made_from})


HCL = f"""
key_provider "pbkdf2" "old" {{
  passphrase = "another-passphrase-of-16"
}}
key_provider "pbkdf2" "main" {{
  passphrase = "{PASSPHRASE}"
}}
method "aes_gcm" "main" {{ keys = key_provider.pbkdf2.main }}
state {{ method = method.aes_gcm.main }}
"""
JSON = json.dumps({"key_provider": {"pbkdf2": {"main": {"passphrase": PASSPHRASE}}}})


@pytest.mark.parametrize(
    "environment",
    [{"TFDRIFT_STATE_PASSPHRASE": PASSPHRASE}, {"TF_ENCRYPTION": HCL}, {"TF_ENCRYPTION": JSON}],
    ids=["own", "hcl", "json"],
)
@pytest.mark.parametrize(("length", "name"), [(32, "sha512"), (16, "sha256")])
def test_a_passphrase(environment: dict[str, str], length: int, name: str) -> None:
    assert decrypted(by_passphrase(length=length, name=name), Aws(), environment) == PLAIN


@pytest.mark.parametrize(
    ("raw", "environment", "message"),
    [
        (by_passphrase(), {}, "set its passphrase in TFDRIFT_STATE_PASSPHRASE, or TF_ENCRYPTION as for OpenTofu"),
        (by_passphrase(), {"TFDRIFT_STATE_PASSPHRASE": "wrong"},
         "the passphrase of TFDRIFT_STATE_PASSPHRASE is not what it was encrypted with, or the state is damaged"),
        (by_passphrase(), {"TF_ENCRYPTION": "{"}, "set its passphrase"),
        (by_passphrase(), {"TF_ENCRYPTION": 'key_provider "pbkdf2" "x" {'}, "set its passphrase"),
        (by_passphrase(), {"TF_ENCRYPTION": 'key_provider "pbkdf2" "x" {\n passphrase = var.x\n}'}, "set its"),
        (by_passphrase(iterations=10**12), {"TFDRIFT_STATE_PASSPHRASE": PASSPHRASE}, "not what it was encrypted with"),
        (by_passphrase(key_length=10**9), {"TFDRIFT_STATE_PASSPHRASE": PASSPHRASE}, "not what it was encrypted with"),
        (by_passphrase(hash_function="md5"), {"TFDRIFT_STATE_PASSPHRASE": PASSPHRASE}, "not what it was encrypted"),
        (by_passphrase(salt=5), {"TFDRIFT_STATE_PASSPHRASE": PASSPHRASE}, "not what it was encrypted with"),
        (document("AAAA", {"key_provider.gcp_kms.x": {"ciphertext": "AAAA"}}), {}, "neither pbkdf2 nor aws_kms"),
        (document("AAAA", {}), {}, "no key provider is named in it"),
        (document("AAAA", {"x": []}), {}, "no key provider is named in it"),
        (document("AAAA", {}, version="v1"), {}, "newer than this TFDrift"),
        (document("%%%", {}), {}, "damaged"),
        (b'{"encrypted_data":5}', {}, "damaged"),
        (b'{"encrypted_data":', {}, "damaged"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_plainly(raw: bytes, environment: dict[str, str], message: str) -> None:
    with pytest.raises(StateError, match=message) as caught:
        decrypted(raw, Aws(), environment)
    assert PASSPHRASE not in str(caught.value)
    assert "wrong" not in str(caught.value)


def test_a_key_of_aws_kms(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kms = aws.client("kms")
    made = kms.generate_data_key(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], KeySpec="AES_256")
    raw = document(
        sealed(made["Plaintext"]), {"key_provider.aws_kms.x": {"ciphertext_blob": text(made["CiphertextBlob"])}}
    )
    access = Aws(region="us-east-1", endpoint_url=aws.url)
    assert decrypted(raw, access, {}) == PLAIN
    other = document(sealed(os.urandom(32)), {"x": {"ciphertext_blob": text(made["CiphertextBlob"])}})
    with pytest.raises(StateError, match="the key of AWS KMS is not what it was encrypted with"):
        decrypted(other, access, {})
    with pytest.raises(StateError, match="AWS KMS does not decrypt its key"):
        decrypted(document("AAAA", {"x": {"ciphertext_blob": text(b"x" * 50)}}), access, {})


def test_the_store_reads_it_and_reads_it_again_when_the_key_is_there(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "terraform.tfstate"
    path.write_bytes(by_passphrase())
    environment: dict[str, str] = {}
    monkeypatch.setattr(encryption.decrypted, "__defaults__", (environment,))
    store = StateStore(load(json.dumps({"state": [str(path)]})))
    store.refresh()
    assert "set its passphrase" in store.errors[str(path)]
    assert len(store.index) == 0
    environment["TFDRIFT_STATE_PASSPHRASE"] = PASSPHRASE
    store.refresh(force=True)
    assert store.errors == {}
    assert [instance.address for instance in store.index.all()] == ["aws_instance.web"]
