"""Public keys and signatures, from the package `cryptography`: optional, and imported when it is first needed."""

from __future__ import annotations

import base64
import binascii
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = ["check_installed", "elliptic_key", "is_signed_by_topic", "is_signed_with", "key_of_certificate"]

MISSING: Final = "Checking the signatures of {} needs cryptography: pip install 'poststack[webhooks]'"


def check_installed(title: str) -> None:
    """Raise `ImportError` that says what to install."""
    try:
        import_module("cryptography.x509")
    except ImportError as error:
        raise ImportError(MISSING.format(title), name="cryptography") from error


def elliptic_key(text: str, title: str) -> EllipticCurvePublicKey:
    """Return the P-256 key of a text, in PEM or what stands between PEM's lines. Raises `ValueError` for another."""
    check_installed(title)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    inner = "".join(line for line in text.split() if line).replace("-----BEGINPUBLICKEY-----", "")
    inner = inner.replace("-----ENDPUBLICKEY-----", "")
    try:
        key = load_der_public_key(base64.b64decode(inner, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError(f"{title}'s `public_key` is no public key. Copy the verification key of the webhook again.")
    return key


def is_signed_with(key: EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    """Return whether this is the key's signature (ECDSA, SHA-256, DER)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(signature, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def key_of_certificate(pem: bytes) -> RSAPublicKey:
    """Return the RSA key of a certificate. Raises `ValueError` for anything else."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import load_pem_x509_certificate

    try:
        key = load_pem_x509_certificate(pem).public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("This is no certificate of an RSA key.")
    return key


def is_signed_by_topic(key: RSAPublicKey, signature: bytes, signed: bytes, *, version: str) -> bool:
    """Return whether this is the key's signature (RSA, PKCS #1 v1.5; SHA-1 in version 1, SHA-256 in version 2)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    try:
        key.verify(signature, signed, PKCS1v15(), SHA256() if version == "2" else SHA1())  # noqa: S303  # version 1 is that
    except InvalidSignature:
        return False
    return True
