"""Pictures with content credentials (C2PA), signed by a certificate that is made here and that nobody trusts."""

import datetime
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def signed_jpeg(path: Path, *, address: str = "", assertions: Mapping[str, Any] | None = None) -> Path:
    """Write a small signed picture.

    Args:
        path: The file.
        address: Where the manifest is said to be; it is then not put into the file.
        assertions: Label -> data of further assertions.
    """
    import c2pa

    action = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": {"name": "painter", "version": "2"},
    }
    stated = {"c2pa.actions": {"actions": [action]}} | dict(assertions or {})
    claim = {
        "claim_generator_info": [{"name": "test program", "version": "1"}],
        "title": "grey",
        "assertions": [{"label": label, "data": data} for label, data in stated.items()],
    }
    builder = c2pa.Builder(claim)
    if address:
        builder.set_no_embed()
        builder.set_remote_url(address)
    plain, signed = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (64, 48), "grey").save(plain, "JPEG")
    plain.seek(0)
    chain, key = _certificates()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain, private_key=key, ta_url=None))
    builder.sign(signer, "image/jpeg", plain, signed)
    path.write_bytes(signed.getvalue())
    return path


@cache
def _certificates() -> tuple[bytes, bytes]:
    """A chain of two certificates, and the key of the first, as PEM."""
    authority, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = [_certificate("Signer", signer.public_key(), authority, False)]
    chain.append(_certificate("Authority", authority.public_key(), authority, True))
    key = signer.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in chain), key


def _certificate(
    name: str, public: ec.EllipticCurvePublicKey, authority: ec.EllipticCurvePrivateKey, signs: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("Authority"))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, **usage), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    )
    if not signs:  # what the C2PA specification asks of a signer's certificate
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(authority, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test house"),
        x509.NameAttribute(NameOID.COMMON_NAME, common),
    ])  # fmt: skip
