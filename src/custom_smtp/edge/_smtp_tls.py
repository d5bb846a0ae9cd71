"""What makes a line trustworthy: the settings of TLS, and the checks of a certificate beyond its chain.

The chain, the dates and the name are OpenSSL's to check. Here is what comes on top: no name out of the common name, a
pinned key, and what the domain publishes (DANE). Nothing of this ever stands in for the chain.
"""

import ssl
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from ipaddress import ip_address

from ..dane import Tlsa, pin_of, tlsa_name, tlsa_of, usable
from ..errors import ConfigurationError, Retry, TlsError
from ..outgoing import Channel
from ..ports import ValidatingResolver
from ..servers import Dane, Server
from .trust import require_verifying

_LEAST_LEVEL = 2
"""OpenSSL's security level: RSA keys of 2048 bits, and no SHA-1, at the least."""

_VERSIONS = frozenset({"TLSv1.2", "TLSv1.3"})


def verifying_context(server: Server, given: ssl.SSLContext | None) -> ssl.SSLContext:
    """A context that takes no certificate on trust and no weak key, TLS 1.2 at the least.

    Raises:
        ConfigurationError: the one given does, or the server's authority file cannot be read.
    """
    if given is not None:
        _check_given(server, given)
        return given
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
    except OSError as error:
        raise ConfigurationError(f"the authority file {server.ca_file} cannot be read: {error}") from error
    return _strengthened(context)


def _strengthened(context: ssl.SSLContext) -> ssl.SSLContext:
    """What Python's own defaults say as a rule, whatever this Python and its OpenSSL were built with."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # RFC 6125 section 6.4.4; RFC 9525 has no common names at all
    if context.security_level < _LEAST_LEVEL:
        context.set_ciphers(f"DEFAULT:@SECLEVEL={_LEAST_LEVEL}")
    return context


def _check_given(server: Server, given: ssl.SSLContext) -> None:
    if server.ca_file is not None:
        raise ConfigurationError("both a context and a ca_file were given: load the authority into the context")
    if given.protocol is ssl.PROTOCOL_TLS_SERVER:
        raise ConfigurationError("this SSLContext is a server's: make it with ssl.create_default_context()")
    require_verifying(given)
    # Some Pythons, Debian's among them, leave the minimum to OpenSSL: MINIMUM_SUPPORTED, which is below all others.
    if given.minimum_version < ssl.TLSVersion.TLSv1_2:
        raise ConfigurationError(
            "this SSLContext allows TLS below 1.2: set its minimum_version to ssl.TLSVersion.TLSv1_2"
        )
    if given.security_level < _LEAST_LEVEL:
        raise ConfigurationError(
            "this SSLContext takes weak keys and signatures: "
            f"call its set_ciphers('DEFAULT:@SECLEVEL={_LEAST_LEVEL}'), or leave its ciphers as they are"
        )


def check_resolver(server: Server, resolver: ValidatingResolver | None) -> None:
    """Whether there is somebody to ask, if anything is to be asked.

    Raises:
        ConfigurationError: the server is set to `Dane` and there is no resolver, or the other way round.
    """
    if server.dane is not None and resolver is None:
        raise ConfigurationError(
            "dane takes a resolver that checks signatures: resolver=DnsValidatingResolver(nameservers=['127.0.0.1'])"
        )
    if server.dane is None and resolver is not None:
        raise ConfigurationError("a resolver is nothing without dane: write Server(..., dane=Dane.REQUIRED)")


def published_for(server: Server, resolver: ValidatingResolver | None) -> tuple[Tlsa, ...]:
    """What the server's certificate has to match, by what its domain publishes; nothing where nobody has to ask.

    Ask before the server hears a word, and anew for each line: a resolver keeps answers for as long as it may.

    Raises:
        TlsError: there was no answer, which can be tried later; or nothing was proven that had to be, which never can.
    """
    if server.dane is None or resolver is None:
        return ()
    name = tlsa_name(server.host, server.port)
    try:
        answer = resolver.lookup_validated(name, "TLSA")
    except ConfigurationError:
        raise
    except Exception as error:  # `ResolveError`, or what a resolver of somebody's own forgot to make one
        # Whoever can keep the answer away could otherwise undo what was published (RFC 7672 section 2.1.2).
        raise TlsError(
            f"what {server}'s certificate has to be was not to be learnt, so nothing was said: {error}"
        ) from error
    records = usable(answer.values) if answer.authentic else ()
    if not records and server.dane is Dane.REQUIRED:
        raise TlsError(
            f"{name} TLSA is {_why_not(answer.values, authentic=answer.authentic)}, so nothing was said to {server}",
            retry=Retry.NEVER,
        )
    return records


def _why_not(values: Sequence[str], *, authentic: bool) -> str:
    if not authentic:
        return "not proven by DNSSEC"
    return "of no kind that names the server's own certificate" if values else "not there"


def check_certificate(
    server: Server, encrypted: ssl.SSLSocket | ssl.SSLObject, published: Sequence[Tlsa] = ()
) -> Channel:
    """Hold what was agreed on, hands just shaken, to all that a chain does not show; return it.

    Args:
        server: what the certificate has to be.
        encrypted: our side of the connection.
        published: what `published_for` returned.

    Raises:
        TlsError: it is too old a TLS, or another certificate than it must be. Nothing may be said.
    """
    version, cipher = encrypted.version() or "", encrypted.cipher()
    if version not in _VERSIONS:
        raise _refused(server, f"it speaks {version or 'no TLS'}, and TLS 1.2 is the least")
    shown, der = encrypted.getpeercert() or {}, encrypted.getpeercert(binary_form=True) or b""
    if not _is_named(server.tls_name, {str(each[0]) for each in shown.get("subjectAltName", ())}):
        raise _refused(server, "its certificate has a name nowhere but where none counts, its common name (RFC 9525)")
    if server.certificate_pin and not compare_digest(found := pin_of(der), server.certificate_pin):
        raise _refused(server, f"its key is not the pinned one, but {found}")
    if published and not any(record.matches(der) for record in published):
        raise _refused(server, f"its domain does not publish its certificate, whose TLSA would be {tlsa_of(der)}")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    return Channel(version, cipher[0] if cipher else "", ends)


def _is_named(name: str, kinds: Collection[str]) -> bool:
    """Whether the subject alternative names, which OpenSSL has compared if there are any, hold a name of this kind.

    Where there are none, OpenSSL takes the common name, unless the context forbids it. Of an address it never does.
    """
    return "DNS" in kinds or ("IP Address" in kinds and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _refused(server: Server, why: str) -> TlsError:
    return TlsError(f"{server} is not to be trusted, so nothing was said: {why}", retry=Retry.NEVER)
