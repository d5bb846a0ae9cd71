"""What a server offers, and what is wrong with it: the result of `SmtpTransport.verify`."""

from enum import Enum

from attrs import frozen

from .errors import TransportError
from .outgoing import Channel
from .servers import Server
from .smtp_offers import Offers


class Concern(Enum):
    """What may be wrong with a server that can be reached."""

    NO_PIPELINING = "no PIPELINING: each mail takes four round trips instead of one"
    NO_8BITMIME = "no 8BITMIME: content that is not 7-bit is refused before it is sent"
    NO_SIZE = "no SIZE: a mail that is too large is found out only when it was sent"
    NO_ENHANCED_CODES = "no ENHANCEDSTATUSCODES: refusals say less than they could"
    NO_LOGIN_OFFERED = "no AUTH is offered, though credentials are set"
    IN_CLEAR = "the line is not encrypted"


@frozen
class ServerReport:
    """What was found when the server was reached, upgraded and logged in to, as far as that went, and no mail was sent.

    Attributes:
        server: which, as ``host:port``.
        failure: why it cannot be sent through; None where it can.
        channel: the encryption that was agreed on.
        extensions: what its EHLO offers, as it wrote it; in clear, where there was no encryption to ask again in.
        concerns: what could be better, or explains the failure.
    """

    server: str
    failure: TransportError | None = None
    channel: Channel | None = None
    extensions: tuple[str, ...] = ()
    concerns: tuple[Concern, ...] = ()

    @property
    def works(self) -> bool:
        """Whether mail can be sent through it."""
        return self.failure is None

    def __str__(self) -> str:
        lines = [f"{self.server}: {'works' if self.works else self.failure}"]
        if self.channel is not None:
            lines.append(f"  encrypted by {self.channel.protocol}, {self.channel.cipher}")
        if self.channel is not None and self.channel.certificate_ends is not None:
            lines.append(f"  its certificate ends on {self.channel.certificate_ends.date()}")
        lines += [f"  offers {extension}" for extension in self.extensions]
        return "\n".join([*lines, *(f"  {concern.value}" for concern in self.concerns)])


def report_on(
    server: Server, offers: Offers, channel: Channel | None, failure: TransportError | None = None
) -> ServerReport:
    """The report on a server that was reached, and logged in to where credentials are set, unless that failed."""
    # Servers keep back in clear what they offer in secret, so a failure before that tells of nothing that is absent.
    known = failure is None or (channel is not None and bool(offers.parameters))
    absent = {
        Concern.NO_PIPELINING: "PIPELINING" not in offers,
        Concern.NO_8BITMIME: "8BITMIME" not in offers,
        Concern.NO_SIZE: "SIZE" not in offers,
        Concern.NO_ENHANCED_CODES: "ENHANCEDSTATUSCODES" not in offers,
        Concern.NO_LOGIN_OFFERED: server.credentials is not None and not offers.mechanisms,
        Concern.IN_CLEAR: channel is None,
    }
    return ServerReport(
        str(server),
        failure,
        channel=channel,
        extensions=tuple(f"{name} {rest}".rstrip() for name, rest in offers.parameters.items()),
        concerns=tuple(concern for concern, holds in absent.items() if holds) if known else (),
    )
