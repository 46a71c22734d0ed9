"""Signs the certificates of a session; see `aio.tls`. Slow to import: where there is TLS only."""

from __future__ import annotations

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from jupiter.aio.clock import wall_s
from jupiter.aio.tls import Identity, Role, derive, urn

LIFE_S = 30 * 86_400.0
SKEW_S = 86_400.0
"""Clocks of hosts may differ by that much."""
_CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


class Authority:
    """Signs the certificates of one session.

    Args:
        secret: Of the session; the same one makes the same authority again.
    """

    def __init__(self, secret: str) -> None:
        number = int.from_bytes(derive(secret, "authority")) % (_CURVE_ORDER - 1) + 1
        self._key = ec.derive_private_key(number, ec.SECP256R1())
        label = hashlib.sha256(derive(secret, "name")).hexdigest()[:16]
        self._name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, f"jupiter session {label}")]
        )
        signed = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._certificate = signed.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, name: str, role: Role = "peer") -> Identity:
        """Return a new key with a certificate in the name of a node."""
        key = ec.generate_private_key(ec.SECP256R1())
        extended = ExtendedKeyUsageOID
        uses = [extended.CLIENT_AUTH] + ([extended.SERVER_AUTH] if role == "peer" else [])
        label = x509.NameAttribute(NameOID.COMMON_NAME, f"jupiter {role}")
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(urn(name, role))])
        signed = (
            self._builder(x509.Name([label]), key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(names, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        public = signed.public_bytes(serialization.Encoding.PEM).decode()
        return Identity(public, private, self._certificate)

    def _builder(
        self, name: x509.Name, public: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.fromtimestamp(wall_s(), datetime.UTC)
        authority = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(seconds=SKEW_S))
            .not_valid_after(now + datetime.timedelta(seconds=LIFE_S))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False
            )
        )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
