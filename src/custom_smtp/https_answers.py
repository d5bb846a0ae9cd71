"""What comes of asking a host by HTTPS: an answer, or why there was none."""

from datetime import datetime
from enum import Enum
from typing import Any

from attrs import Attribute, field, frozen

from .checks import ConfigurationError, aware


class HttpsFailure(Enum):
    """Why a host gave no answer by HTTPS."""

    UNREACHABLE = "nobody listens there"
    SILENT = "it gave no answer in time"
    NO_TLS = "it speaks no TLS that may be trusted"
    CERTIFICATE = "its certificate is not right for this host"
    NOT_HTTP = "its answer is no HTTP"


def _a_status(_instance: object, _attribute: "Attribute[Any]", status: int | None) -> None:
    if status is not None and not (isinstance(status, int) and 100 <= status <= 599):
        raise ConfigurationError(f"{status!r} is no HTTP status: use 100 to 599 (RFC 9110 section 15)")


@frozen(kw_only=True)
class HttpsAnswer:
    """What a host said when it was asked once. Its body is nobody's concern here.

    Attributes:
        status: the answer's status; None where there was none.
        hsts: the first Strict-Transport-Security header, the only one that counts (RFC 6797 section 8.1); None where
            there is none.
        location: where a redirect leads; empty where there is none.
        certificate_ends: until when the certificate holds; None where there was no TLS.
        failure: why there was no answer; None where there was one.
        words: the failure in the words of whoever met it.

    Raises:
        ConfigurationError: it is neither an answer nor a failure, or both.
    """

    status: int | None = field(default=None, validator=_a_status)
    hsts: str | None = None
    location: str = ""
    certificate_ends: datetime | None = field(default=None, validator=aware)
    failure: HttpsFailure | None = None
    words: str = ""

    def __attrs_post_init__(self) -> None:
        if (self.status is None) is (self.failure is None):
            raise ConfigurationError("an HttpsAnswer is an answer or a failure: give it a status, or a failure")
