"""Which certificates are believed: right ones alone, over HTTPS, IMAP and SMTP."""

import ssl
from typing import Any

from attrs import Attribute

from ..checks import ConfigurationError


def verifying(_instance: object, _attribute: "Attribute[Any]", context: ssl.SSLContext | None) -> None:
    """The attrs validator for an ``SSLContext`` that may be left out: see `require_verifying`."""
    if context is not None:
        require_verifying(context)


def require_verifying(context: ssl.SSLContext) -> None:
    """Refuse a context that takes any certificate.

    Raises:
        ConfigurationError: it does; the message says how to trust an authority of one's own.
    """
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise ConfigurationError(
            "this SSLContext takes any certificate: make it with ssl.create_default_context(), "
            "and trust a private authority by its load_verify_locations()"
        )


def trusted_by(given: ssl.SSLContext | None) -> ssl.SSLContext:
    """The context that was given; left out, one that trusts the system's authorities, by TLS 1.2 at the least."""
    if given is not None:
        return given
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
