"""Certificates made on the spot, good and bad, for servers in tests.

::

    authority = Authority(datetime.now(UTC))
    good = authority.issue("mail.test")
    expired = authority.issue("mail.test", starts=timedelta(days=-3), lasts=timedelta(days=1))
    under_an_expired_one = authority.below("a branch", lasts=timedelta(days=1)).issue("mail.test")
"""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..errors import ConfigurationError

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class KeyKind(Enum):
    """What kind of key a certificate is for."""

    EC = "P-256"
    RSA = "RSA-2048"
    RSA_1024 = "RSA-1024"
    """Too weak to be trusted."""


class Digest(Enum):
    """What a certificate is signed by."""

    SHA256 = "SHA-256"
    SHA1 = "SHA-1"
    """Too weak to be trusted. Only an authority with an RSA key signs so here."""


@frozen
class Certificate:
    """A certificate chain and its key, as PEM."""

    chain: bytes
    key: bytes = field(repr=False)

    @property
    def der(self) -> bytes:
        """The first certificate alone, as a client gets it to see."""
        return x509.load_pem_x509_certificate(self.chain).public_bytes(Encoding.DER)

    def alone(self) -> "Certificate":
        """The same without the authorities above it, as from a server whose owner forgot them."""
        return Certificate(x509.load_pem_x509_certificate(self.chain).public_bytes(Encoding.PEM), self.key)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Put both into a folder, as servers want them; return where the chain and the key are."""
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        chain.write_bytes(self.chain)
        key.write_bytes(self.key)
        return chain, key


_MONTH_AGO, _TWO_MONTHS = timedelta(days=-30), timedelta(days=60)
_YESTERDAY, _TWO_DAYS = timedelta(days=-1), timedelta(days=2)


def _new_key(kind: KeyKind) -> _Key:
    if kind is KeyKind.EC:
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048 if kind is KeyKind.RSA else 1024)


@frozen
class Authority:
    """A certificate authority that lives as long as the test: trust its ``pem``, or the file it is written to.

    Attributes:
        now: the time its certificates are valid around.
        name: what it is called.
        key_kind: what kind of key it signs with.
    """

    now: datetime
    name: str = "an authority for tests"
    key_kind: KeyKind = field(default=KeyKind.EC, kw_only=True)
    _key: _Key = field(kw_only=True, repr=False)
    _own: x509.Certificate = field(kw_only=True, repr=False)
    _above: bytes = field(default=b"", kw_only=True, repr=False)

    @_key.default
    def _key_of_the_kind(self) -> _Key:
        return _new_key(self.key_kind)

    @_own.default
    def _signed_by_itself(self) -> x509.Certificate:
        builder = _about(self.name, self._key, self.now + _MONTH_AGO, _TWO_MONTHS)
        return _as_authority(builder, path_length=None).issuer_name(_called(self.name)).sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        """What a client trusts."""
        return self._own.public_bytes(Encoding.PEM)

    def issue(
        self,
        *hosts: str,
        starts: timedelta = _YESTERDAY,
        lasts: timedelta = _TWO_DAYS,
        common_name: str = "",
        key_kind: KeyKind = KeyKind.EC,
        digest: Digest = Digest.SHA256,
    ) -> Certificate:
        """A server's certificate for these names and addresses.

        Args:
            hosts: names, wildcards or IP addresses; none makes a certificate without any.
            starts: when it becomes valid, from ``now``.
            lasts: how long from there.
            common_name: what it is called; the first of the hosts, if left out. No client shall look at it.
            key_kind: what kind of key it is for.
            digest: what it is signed by.
        """
        key = _new_key(key_kind)
        builder = _about(common_name or next(iter(hosts), "nobody"), key, self.now + starts, lasts)
        return self._certificate(self._signed(_as_server(builder, hosts), digest), key)

    def issue_client(self, name: str) -> Certificate:
        """A client's certificate, which shows a server who calls it."""
        key = _new_key(KeyKind.EC)
        builder = _about(name, key, self.now + _YESTERDAY, _TWO_DAYS)
        return self._certificate(self._signed(_as_end(builder, ExtendedKeyUsageOID.CLIENT_AUTH)), key)

    def below(
        self,
        name: str,
        *,
        starts: timedelta = _MONTH_AGO,
        lasts: timedelta = _TWO_MONTHS,
        key_kind: KeyKind = KeyKind.EC,
        digest: Digest = Digest.SHA256,
    ) -> "Authority":
        """An intermediate authority: this one vouches for it, and it may have none below itself."""
        key = _new_key(key_kind)
        builder = _as_authority(_about(name, key, self.now + starts, lasts), path_length=0)
        return self._vouched_for(name, key, self._signed(builder, digest))

    def impostor(self, name: str) -> "Authority":
        """Somebody with a good server's certificate, for this name, who issues others as if it allowed that."""
        key = _new_key(KeyKind.EC)
        builder = _as_server(_about(name, key, self.now + _YESTERDAY, _TWO_DAYS), (name,))
        return self._vouched_for(name, key, self._signed(builder))

    def _vouched_for(self, name: str, key: _Key, own: x509.Certificate) -> "Authority":
        return Authority(self.now, name, key=key, own=own, above=self.pem + self._above)

    def _signed(self, builder: x509.CertificateBuilder, digest: Digest = Digest.SHA256) -> x509.Certificate:
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.issuer_name(self._own.subject).add_extension(issued_by, critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        return signed if digest is Digest.SHA256 else self._signed_weakly(signed)

    def _signed_weakly(self, certificate: x509.Certificate) -> x509.Certificate:
        """The same, signed by SHA-1, which cryptography itself no longer does for certificates."""
        if not isinstance(self._key, rsa.RSAPrivateKey):
            raise ConfigurationError("only an RSA key signs by SHA-1 here: make the authority with KeyKind.RSA")
        body = certificate.tbs_certificate_bytes.replace(_RSA_SHA256, _RSA_SHA1)
        whole = certificate.public_bytes(Encoding.DER).replace(_RSA_SHA256, _RSA_SHA1)
        signature = self._key.sign(body, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - being weak is its purpose
        return x509.load_der_x509_certificate(whole[: -len(signature)] + signature)

    def _certificate(self, signed: x509.Certificate, key: _Key) -> Certificate:
        return Certificate(signed.public_bytes(Encoding.PEM) + self.pem + self._above, _pem(key))


def self_signed(now: datetime, *hosts: str) -> Certificate:
    """A server's certificate that nobody vouches for but its own key."""
    key = _new_key(KeyKind.EC)
    builder = _as_server(_about(hosts[0], key, now + _YESTERDAY, _TWO_DAYS), hosts)
    signed = builder.issuer_name(_called(hosts[0])).sign(key, hashes.SHA256())
    return Certificate(signed.public_bytes(Encoding.PEM), _pem(key))


_RSA_SHA256 = bytes.fromhex("06092a864886f70d01010b")  # RFC 8017 appendix A.2.4: sha256WithRSAEncryption ...
_RSA_SHA1 = bytes.fromhex("06092a864886f70d010105")  # ... and sha1WithRSAEncryption


def _about(name: str, key: _Key, starts: datetime, lasts: timedelta) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_called(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(starts + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _as_authority(builder: x509.CertificateBuilder, path_length: int | None) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_may(sign_certificates=True), critical=True)


def _as_server(builder: x509.CertificateBuilder, hosts: Sequence[str]) -> x509.CertificateBuilder:
    builder = _as_end(builder, ExtendedKeyUsageOID.SERVER_AUTH)
    if not hosts:
        return builder
    return builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)


def _as_end(builder: x509.CertificateBuilder, purpose: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_may(sign_certificates=False), critical=True)
    return builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)


def _pem(key: _Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _may(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
