"""How to reach a server that sends our mail."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import attrs
from attrs import Attribute, field, frozen

from .addresses import ascii_domain
from .checks import CONTROL, ConfigurationError, MailError, a_port, seconds_up_to, shown


class Tls(Enum):
    """When the line becomes secret. There is no "off"."""

    STARTTLS = "starttls"
    """Begin in clear and upgrade before anything is said (RFC 3207). Refused or not offered: nothing is sent."""
    IMPLICIT = "implicit"
    """Secret from the first byte (RFC 8314), as on port 465."""
    OPPORTUNISTIC = "opportunistic"
    """Upgrade if the server offers it. Whoever sits on the line can take the offer away, so ask for this only where
    nothing else works: it warns, never sends credentials in clear, and the receipt says what was used."""


class Dane(Enum):
    """What the server's domain says of its certificate in the DNS (TLSA records, RFC 6698), and whether it has to.

    It comes on top of everything else that a certificate must be, and takes the place of nothing: whoever lies about
    the DNS can keep mail from being sent, but cannot pass for the server.
    """

    IF_PUBLISHED = "if published"
    """Where such records are proven by signatures (DNSSEC), the certificate must be one of theirs."""
    REQUIRED = "required"
    """And where they are not, nothing is said."""


_SAYABLE = re.compile(r"[^\x00\ud800-\udfff]+")  # RFC 4616 section 2: UTF-8 without NUL


def _sayable(what: str) -> "Callable[[object, Attribute[Any], str], None]":
    def check(_instance: object, _attribute: "Attribute[Any]", text: str) -> None:
        if not isinstance(text, str) or not _SAYABLE.fullmatch(text):
            raise ConfigurationError(
                f"the {what} is empty, no text, or holds a NUL or half of a surrogate pair: "
                "give the one your server issued"
            )

    return check


def _one_of(*mechanisms: str) -> "Callable[[object, Attribute[Any], str], None]":
    def check(_instance: object, _attribute: "Attribute[Any]", name: str) -> None:
        if name and name not in mechanisms:
            raise ConfigurationError(
                f"{shown(name)} is no mechanism that we speak: use {', '.join(mechanisms)}, or leave it out"
            )

    return check


@frozen
class Credentials:
    """A user name and a password for SMTP AUTH. Neither prints: some providers take one secret for both.

    Attributes:
        username: as the server knows it.
        password: its secret.
        mechanism: how to log in: ``PLAIN``, ``LOGIN``, ``SCRAM-SHA-256`` or ``CRAM-MD5``; empty takes the first of them
            that the server offers, but never CRAM-MD5.

    Raises:
        ConfigurationError: one of them is empty, or cannot be said in AUTH; the message holds neither.
    """

    username: str = field(validator=_sayable("user name"), repr=False)
    password: str = field(validator=_sayable("password"), repr=False)
    mechanism: str = field(default="", kw_only=True, validator=_one_of("PLAIN", "LOGIN", "SCRAM-SHA-256", "CRAM-MD5"))


@frozen
class OAuthCredentials:
    """A user name and an OAuth 2.0 access token for SMTP AUTH.

    Attributes:
        username: as the server knows it; the mail address, as a rule.
        token: asked for the token anew for every connection, so that it is never an old one; on an event loop, in a
            thread. It never prints.
        mechanism: how to log in: ``OAUTHBEARER`` (RFC 7628) or ``XOAUTH2``; empty takes the first of them that the
            server offers.

    Raises:
        ConfigurationError: the user name cannot be said in AUTH, or ``token`` cannot be called.
    """

    username: str = field(validator=_sayable("user name"))
    token: Callable[[], str] = field(repr=False)
    mechanism: str = field(default="", kw_only=True, validator=_one_of("OAUTHBEARER", "XOAUTH2"))

    def __attrs_post_init__(self) -> None:
        if not callable(self.token):
            raise ConfigurationError("token is no callable: write OAuthCredentials('user', token=lambda: ...)")


_an_hour_at_most = seconds_up_to(3600)


@frozen(kw_only=True)
class Limits:
    """How long each step may take, in seconds; none waits for ever.

    The defaults for what the server does are RFC 5321 section 4.5.3.2's. Each holds for a whole reply, however slowly
    it drips in.

    Attributes:
        connect: reaching the server, and each TLS handshake.
        greeting: its first words.
        reply: the answer to any command, and taking in the content.
        final: the answer to the final dot, when the server does its work.
        transaction: one mail from its first command to its last reply.

    Raises:
        ConfigurationError: a limit is not above 0, or over an hour.
    """

    connect: float = field(default=30, validator=_an_hour_at_most)
    greeting: float = field(default=300, validator=_an_hour_at_most)
    reply: float = field(default=300, validator=_an_hour_at_most)
    final: float = field(default=600, validator=_an_hour_at_most)
    transaction: float = field(default=1800, validator=_an_hour_at_most)

    @classmethod
    def all_of(cls, seconds: float) -> "Limits":
        """The same limit for every step; a whole transaction keeps its own."""
        return cls(connect=seconds, greeting=seconds, reply=seconds, final=seconds)


def _a_count(least: int, most: int) -> "Callable[[object, Attribute[Any], int], None]":
    def check(_instance: object, attribute: "Attribute[Any]", count: int) -> None:
        if isinstance(count, bool) or not isinstance(count, int) or not least <= count <= most:
            raise ConfigurationError(f"{attribute.name} is {count!r}: use {least} to {most}")

    return check


@frozen(kw_only=True)
class Pace:
    """How far ahead of a server's answers we speak, and how long a line is kept.

    Whatever is set here, each mail's outcome is its own. What it decides is how many can be uncertain if the line
    breaks: one by DATA, piggyback or not; by BDAT as many as the window holds.

    Attributes:
        pipelining: say MAIL, RCPT and DATA in one breath, to servers with PIPELINING (RFC 2920).
        piggyback: say the next mail's MAIL, RCPT and DATA right behind the final dot.
        window: how many mails may be on their way unanswered by BDAT, to servers with CHUNKING (RFC 3030); 0 sends all
            mail by DATA.
        mails_per_connection: after how many mails a line is closed and another opened; None for no end. A limit that
            the server names (RFC 9422) counts too.
        idle: for how many seconds a line is kept without a mail.

    Raises:
        ConfigurationError: a number cannot be.
    """

    pipelining: bool = True
    piggyback: bool = True
    window: int = field(default=4, validator=_a_count(0, 1000))
    mails_per_connection: int | None = field(default=None, validator=attrs.validators.optional(_a_count(1, 1_000_000)))
    idle: float = field(default=60, validator=_an_hour_at_most)

    @classmethod
    def careful(cls) -> "Pace":
        """At most one mail in doubt at any time."""
        return cls(piggyback=False, window=0)


_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_PIN = re.compile(r"[A-Za-z0-9+/]{43}=")
_HELO_NAME = re.compile(r"[!-~]{0,255}")
_PORTS = "587, 465 or 2525"


def _a_host(_instance: object, _attribute: "Attribute[Any]", host: str) -> None:
    if not isinstance(host, str) or not host:
        raise ConfigurationError(
            "the host is empty: write the name of your SMTP server, such as 'smtp.provider.example'"
        )
    if _is_ip(host):
        return
    if "@" in host or "://" in host:
        # Not a word of it is shown: the whole setting may stand here, password and all.
        raise ConfigurationError(
            "the host is a URL or an address: write a name such as 'smtp.provider.example', without scheme or port, "
            "or read the URL by Server.from_url"
        )
    if not all(_LABEL.fullmatch(label) for label in host.removesuffix(".").split(".")) or len(host) > 253:
        raise ConfigurationError(
            f"{shown(host)} is no host name: write a name such as 'smtp.provider.example', without scheme or port"
        )


def _not_25(_instance: object, _attribute: "Attribute[Any]", port: int) -> None:
    if port == 25:
        raise ConfigurationError(f"port 25 is for servers talking to servers; use {_PORTS}")


def _a_helo_name(_instance: object, _attribute: "Attribute[Any]", name: str) -> None:
    if not isinstance(name, str) or not _HELO_NAME.fullmatch(name):
        raise ConfigurationError(
            f"{shown(name)} cannot be said in EHLO: use this machine's full domain name, or leave it out"
        )


def _path(path: str | Path | None) -> Path | None:
    if path is None:
        return None
    if not isinstance(path, str | Path) or not str(path) or "\x00" in str(path):
        raise ConfigurationError(f"ca_file is {path!r}: give the path of a PEM file, or leave it out")
    return Path(path)


def _host(host: str) -> str:
    """Beyond ASCII, a host is written as the DNS knows it."""
    if not isinstance(host, str) or host.isascii() or "@" in host:
        return host
    try:
        return ascii_domain(host)
    except MailError as error:
        raise ConfigurationError(
            f"{shown(host)} is no host name: write a name such as 'smtp.provider.example'"
        ) from error


@frozen
class Server:
    """One SMTP server to hand mail to.

    Attributes:
        host: its name, or an IP address that its certificate names.
        port: 587 unless you say otherwise; 25 is refused.
        credentials: what to log in with; None for a server that asks for nothing.
        tls: when the line becomes secret; by default at once on port 465, and by STARTTLS elsewhere.
        helo_name: what we call ourselves; left out, the address we call from (RFC 5321 section 4.1.4).
        ca_file: a PEM file of certificate authorities to trust in place of the system's.
        limits: how long each step may take.
        pace: how far ahead of its answers to speak.
        certificate_name: the name that its certificate must show and that is asked for (SNI), if not ``host``.
        certificate_pin: the SHA-256 of its public key (SPKI) in base64, as in RFC 7469 section 2.4; if given, no other
            key is taken, whoever vouches for it.
        source_address: the address of this machine to call from; left out, the system chooses.
        dane: whether the certificate is compared with what the domain publishes under ``host`` and ``port``; it takes a
            resolver that checks signatures, handed to the transport. None asks nobody.

    Raises:
        ConfigurationError: such a server cannot be; the message says what to write.
    """

    host: str = field(converter=_host, validator=_a_host)
    port: int = field(default=587, validator=[_not_25, a_port(_PORTS)])
    credentials: Credentials | OAuthCredentials | None = None
    tls: Tls = field(kw_only=True)
    helo_name: str = field(default="", kw_only=True, validator=_a_helo_name)
    ca_file: Path | None = field(default=None, kw_only=True, converter=_path)
    limits: Limits = field(default=Limits(), kw_only=True)
    pace: Pace = field(default=Pace(), kw_only=True)
    certificate_name: str = field(default="", kw_only=True, converter=_host)
    certificate_pin: str = field(default="", kw_only=True)
    source_address: str = field(default="", kw_only=True)
    dane: Dane | None = field(default=None, kw_only=True)

    @tls.default
    def _tls_of_the_port(self) -> Tls:
        return Tls.IMPLICIT if self.port == 465 else Tls.STARTTLS

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.tls, Tls):
            raise ConfigurationError(f"tls is {self.tls!r}: use Tls.STARTTLS, Tls.IMPLICIT or Tls.OPPORTUNISTIC")
        if self.credentials is not None and not isinstance(self.credentials, Credentials | OAuthCredentials):
            raise ConfigurationError("credentials are no Credentials: write Credentials('user', 'password')")
        if not isinstance(self.limits, Limits):
            raise ConfigurationError(f"limits is {self.limits!r}: write Limits(reply=60) or Limits.all_of(60)")
        if not isinstance(self.pace, Pace):
            raise ConfigurationError(f"pace is {self.pace!r}: write Pace(window=0) or Pace.careful()")
        if self.certificate_name:
            _a_host(self, attrs.fields(Server).certificate_name, self.certificate_name)
        if self.certificate_pin and not _PIN.fullmatch(self.certificate_pin):
            raise ConfigurationError("certificate_pin is no SHA-256 in base64: write 43 letters and a '='")
        if self.source_address and not _is_ip(self.source_address):
            raise ConfigurationError(
                f"source_address is {shown(self.source_address)}: write an IP address of this machine"
            )
        if self.dane is not None:
            self._check_dane()

    def _check_dane(self) -> None:
        if not isinstance(self.dane, Dane):
            raise ConfigurationError(f"dane is {shown(self.dane)}: use Dane.IF_PUBLISHED or Dane.REQUIRED")
        if _is_ip(self.host):
            raise ConfigurationError("dane needs the server's name, and host is an IP address: write the name")
        if self.tls is Tls.OPPORTUNISTIC:
            raise ConfigurationError("dane is nothing for a line that may stay in clear: leave Tls.OPPORTUNISTIC out")

    @property
    def tls_name(self) -> str:
        """The name that its certificate must show. A zone, as in ``fe80::1%eth0``, is this machine's alone."""
        return (self.certificate_name or self.host).partition("%")[0].removesuffix(".")

    @classmethod
    def from_url(cls, url: str) -> "Server":
        """Read a server from one setting: ``submission://user:pa%40ss@smtp.provider.example:587?timeout=60``.

        ========================================  ===============================  =========
        scheme                                    TLS                              port
        ========================================  ===============================  =========
        ``submission``, ``smtp+starttls``         STARTTLS, required               587
        ``submissions``, ``smtps``                from the first byte (RFC 8314)   465
        ``smtp``                                  STARTTLS, required               must be given
        ========================================  ===============================  =========

        User name and password are percent-encoded. Options: ``timeout`` (seconds, for every step), ``ehlo`` (our
        name), ``ca`` (a file of certificate authorities), ``tls=opportunistic`` (see `Tls`), ``dane=required`` or
        ``dane=if-published`` (see `Dane`; the transport takes a resolver then), ``pace=careful``, ``window`` and
        ``mails`` (see `Pace`: at most one in doubt; how many ahead by BDAT; how many on one line).

        Raises:
            ConfigurationError: anything unknown or missing; the message lists what is known, and no secret.
        """
        return _server_from(url)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


# ---- a server in one setting ----------------------------------------------------------------------------------------


SCHEMES: Mapping[str, tuple[Tls, int | None]] = {
    "submission": (Tls.STARTTLS, 587),
    "submissions": (Tls.IMPLICIT, 465),
    "smtp+starttls": (Tls.STARTTLS, 587),
    "smtps": (Tls.IMPLICIT, 465),
    "smtp": (Tls.STARTTLS, None),
}
"""What a URL's scheme means, and its port where the URL names none (RFC 8314 for the first two)."""

OPTIONS = ("timeout", "ehlo", "ca", "tls", "dane", "pace", "window", "mails")
"""What may stand behind its ``?``: see `Server.from_url`."""

_DANE_OF: Mapping[str, Dane] = {"required": Dane.REQUIRED, "if-published": Dane.IF_PUBLISHED}

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}")  # RFC 3986 section 3.1
_PERCENT_ENCODED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*")


def _server_from(url: str) -> Server:
    parts = _parts_of(url)
    tls, usual_port = SCHEMES[parts.scheme]
    port = usual_port if parts.port is None else parts.port
    if port is None:
        raise ConfigurationError(
            f"smtp:// needs a port, and 25 is for servers talking to servers; use {_PORTS}, or submission://"
        )
    options = _options(parts.query)
    if "tls" in options:
        tls = _opportunistic(options["tls"], tls)
    return Server(
        host=_decoded(parts.hostname or "", "host"),
        port=port,
        credentials=_credentials(parts.username, parts.password),
        tls=tls,
        helo_name=options.get("ehlo", ""),
        ca_file=Path(options["ca"]) if "ca" in options else None,
        limits=_limits(options),
        pace=_pace(options),
        dane=_dane(options),
    )


def _parts_of(url: str) -> SplitResult:
    """The parts of a URL that has a scheme of ours, and can be read."""
    if not isinstance(url, str):
        raise ConfigurationError(f"the server's URL is {type(url).__name__}: write it as text")
    if CONTROL.search(url):
        raise ConfigurationError("the server's URL holds a line break or control character: take it out")
    scheme, slashes, _ = url.partition("://")
    if scheme.lower() not in SCHEMES or not slashes:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        # Only what has the shape of a scheme is shown: a setting mixed up with another may be a secret.
        began = repr(scheme) if slashes and _SCHEME.fullmatch(scheme) else "no scheme"
        raise ConfigurationError(f"the server's URL begins with {began}: use one of {known}")
    parts = _split(url)
    if parts is None:
        raise ConfigurationError(
            "the server's URL cannot be read: write submission://user:password@host:587, and percent-encode "
            "'/', '?', '#', '[', ']' and '%' in the password"
        )
    return parts


def _split(url: str) -> SplitResult | None:
    """The parts of a URL that can be read in one way only.

    None is all that is said of any other, since the standard library's own words quote the URL, password and all; and
    an ``@`` behind the host is the end of a password that was not percent-encoded.
    """
    try:
        parts = urlsplit(url)
        readable = parts.port is None or parts.port > 0
    except ValueError:
        return None
    one_way = parts.path in ("", "/") and not parts.fragment and "@" not in parts.query
    return parts if readable and one_way else None


def _decoded(text: str, what: str) -> str:
    if not _PERCENT_ENCODED.fullmatch(text):
        raise ConfigurationError(f"the {what} in the server's URL holds a '%' that encodes nothing: write it as %25")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        pass  # the error would quote what it could not read, which may be the password
    raise ConfigurationError(f"the {what} in the server's URL is not UTF-8: percent-encode it as UTF-8")


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        name, _, value = (_decoded(part, "option") for part in pair.partition("="))
        if name not in OPTIONS:
            raise ConfigurationError(f"the server's URL has an option that is not known: use {', '.join(OPTIONS)}")
        if name in options or not value:
            raise ConfigurationError(f"the server's URL gives the option {name!r} no value, or two: give it one")
        options[name] = value
    return options


def _opportunistic(value: str, tls: Tls) -> Tls:
    if value != "opportunistic" or tls is Tls.IMPLICIT:
        raise ConfigurationError(
            f"tls={value!r} does not go with this URL: only tls=opportunistic does, with submission://"
        )
    return Tls.OPPORTUNISTIC


def _credentials(username: str | None, password: str | None) -> Credentials | None:
    if username is None and password is None:
        return None
    return Credentials(_decoded(username or "", "user name"), _decoded(password or "", "password"))


def _limits(options: dict[str, str]) -> Limits:
    if "timeout" not in options:
        return Limits()
    try:
        seconds = float(options["timeout"])
    except ValueError as error:
        raise ConfigurationError(
            f"timeout={options['timeout']!r} is no number: use seconds, such as timeout=60"
        ) from error
    return Limits.all_of(seconds)


def _pace(options: dict[str, str]) -> Pace:
    if options.get("pace", "careful") != "careful":
        raise ConfigurationError(f"pace={options['pace']!r} is none: only pace=careful is, or leave it out")
    pace = Pace.careful() if "pace" in options else Pace()
    if "window" in options:
        pace = attrs.evolve(pace, window=_whole("window", options["window"]))
    if "mails" in options:
        pace = attrs.evolve(pace, mails_per_connection=_whole("mails", options["mails"]))
    return pace


def _whole(name: str, number: str) -> int:
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise ConfigurationError(f"{name}={number!r} is no whole number: write {name}=100, say")
    return int(number)


def _dane(options: dict[str, str]) -> Dane | None:
    if "dane" not in options:
        return None
    if options["dane"] not in _DANE_OF:
        raise ConfigurationError(f"dane={options['dane']!r} is none: use {', '.join(_DANE_OF)}, or leave it out")
    return _DANE_OF[options["dane"]]


def _is_ip(host: str) -> bool:
    address, percent, zone = host.partition("%")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return not percent or (":" in address and _LABEL.fullmatch(zone) is not None)
