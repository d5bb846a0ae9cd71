"""TLS apart from any socket: bytes in, bytes out, so that every driver keeps the same rules.

Several records leave in one packet, and all that has come is read at once.
"""

import ssl
import warnings
from collections.abc import Sequence

from ..dane import Tlsa
from ..errors import ConnectError, InsecureTransportWarning, Retry, TlsError
from ..outgoing import Channel
from ..servers import Server, Tls
from ._smtp_tls import check_certificate, check_resolver, published_for, verifying_context
from .reaching import words_of

__all__ = ["TlsLayer", "check_resolver", "published_for", "verifying_context", "warn_of_clear_text"]

_CHUNK = 65536


def warn_of_clear_text(server: Server) -> None:
    """Warn whoever sets up a transport to a server that may be spoken to in clear."""
    if server.tls is Tls.OPPORTUNISTIC:
        warnings.warn(
            f"mail to {server} travels in clear whenever the server, or somebody on the line, "
            "leaves STARTTLS out of its offer",
            InsecureTransportWarning,
            stacklevel=4,  # over the transport's two initialisers, to the line that makes it
        )


_ADVICE = dict.fromkeys((18, 19, 20), "; if its authority is your own, name it: Server(ca_file=...)")
"""What to do, by OpenSSL's number of the error (openssl-verification-options(1), X509_STORE_CTX_get_error(3))."""


class TlsLayer:
    """One side of one TLS connection: ours.

    Attributes:
        channel: what was agreed on; None until both sides have shaken hands.
    """

    def __init__(self, server: Server, context: ssl.SSLContext, published: Sequence[Tlsa] = ()) -> None:
        self.channel: Channel | None = None
        self._server = server
        self._published = published
        self._heard = False
        self._end: ConnectError | None = None
        self._came = ssl.MemoryBIO()
        self._leaves = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._came, self._leaves, server_hostname=server.tls_name)

    def shake_hands(self, came: bytes) -> bytes:
        """Go on with the handshake; return what to send. It is done when there is a `channel`.

        Raises:
            TlsError: it is not the server whose name we know, or there is no TLS with it. `last_words` tells it so.
        """
        self._came.write(came)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return self._leaves.read()
        except ssl.SSLCertVerificationError as error:
            raise TlsError(
                f"the certificate of {self._server} cannot be trusted, so nothing was said: {error.verify_message}"
                f"{_ADVICE.get(error.verify_code, '')}",
                retry=Retry.NEVER,
            ) from error
        except ssl.SSLError as error:
            raise self.failed(error) from error
        self.channel = check_certificate(self._server, self._tls, self._published)
        return self._leaves.read()

    def failed(self, error: Exception) -> TlsError:
        """There is no TLS, for this reason."""
        return TlsError(f"no TLS with {self._server}, so nothing was said: {words_of(error)}")

    def last_words(self) -> bytes:
        """The alert that says why there is no handshake."""
        return self._leaves.read()

    def sealed(self, words: bytes) -> bytes:
        """Words as they go over the line.

        Raises:
            ConnectError: the other side has ended TLS.
        """
        if self._end is not None:
            raise self._end
        try:
            self._tls.write(words)
        except ssl.SSLError as error:
            raise ConnectError(f"the line to {self._server} broke: {error}") from error
        return self._leaves.read()

    def opened(self, came: bytes) -> bytes:
        """All that can be read by now: nothing yet where a record is not complete.

        Raises:
            ConnectError: the other side has ended TLS, or somebody has tampered with it.
            TlsError: it did so before its first word, as by an alert that it wants a certificate of ours (TLS 1.3).
        """
        self._came.write(came)
        words = b""
        try:
            while self._came.pending and self._end is None:
                if more := self._tls.read(_CHUNK):  # a whole record, which is never longer than a chunk
                    words += more
                    self._heard = True
                else:
                    self._end = ConnectError(f"{self._server} closed the line")
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            if not self._heard:
                raise self.failed(error) from error
            self._end = ConnectError(f"the line to {self._server} broke: {error}")
            self._end.__cause__ = error
        # What it said before its end counts.
        if self._end is not None and not words:
            raise self._end
        return words
