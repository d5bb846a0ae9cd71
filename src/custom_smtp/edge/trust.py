"""Which certificates are believed over HTTPS and IMAP: right ones alone."""

import ssl
from typing import Any

from attrs import Attribute

from ..checks import ConfigurationError


def verifying(_instance: object, _attribute: "Attribute[Any]", context: ssl.SSLContext | None) -> None:
    """The attrs validator for an ``SSLContext``: one that takes any certificate is refused."""
    if context is not None and (context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname):
        raise ConfigurationError(
            "this SSLContext takes any certificate: make it with ssl.create_default_context(), "
            "and trust a private authority by its load_verify_locations()"
        )
