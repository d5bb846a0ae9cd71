"""What makes a line trustworthy: the settings of TLS, and the checks of a certificate beyond its chain."""

import ssl

from ..errors import ConfigurationError
from ..servers import Server


def verifying_context(server: Server, given: ssl.SSLContext | None) -> ssl.SSLContext:
    """A context that takes no certificate on trust, TLS 1.2 at the least.

    Raises:
        ConfigurationError: the one given does, or the server's authority file cannot be read.
    """
    if given is not None:
        if server.ca_file is not None:
            raise ConfigurationError("both a context and a ca_file were given: load the authority into the context")
        if given.verify_mode is not ssl.CERT_REQUIRED or not given.check_hostname:
            raise ConfigurationError(
                "this SSLContext takes any certificate: make it with ssl.create_default_context(), "
                "and trust a private authority by its load_verify_locations()"
            )
        if ssl.TLSVersion.MINIMUM_SUPPORTED < given.minimum_version < ssl.TLSVersion.TLSv1_2:
            raise ConfigurationError("this SSLContext allows TLS below 1.2: set its minimum_version to TLSv1_2")
        return given
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
    except OSError as error:
        raise ConfigurationError(f"the authority file {server.ca_file} cannot be read: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # RFC 6125 section 6.4.4; RFC 9525 has no common names at all
    return context
