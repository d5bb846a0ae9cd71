"""What a server offers in its EHLO reply (RFC 5321 section 4.1.1.1)."""

from attrs import field, frozen

from .replies import Reply


@frozen
class Offers:
    """The extensions of one server, as it named them after TLS.

    Attributes:
        parameters: by keyword in capitals, what stood behind it.
        size: the largest content in octets (RFC 1870); None for no fixed limit.
        recipients: the most that one mail may have (RFC 9422); None where no limit is named.
        recipient_domains: of how many domains they may be; None where no limit is named.
    """

    parameters: dict[str, str] = field(factory=dict)
    size: int | None = field(init=False, eq=False, repr=False)
    recipients: int | None = field(init=False, eq=False, repr=False)
    recipient_domains: int | None = field(init=False, eq=False, repr=False)

    @size.default
    def _size(self) -> int | None:
        limit = self.parameters.get("SIZE", "")
        return int(limit) or None if limit.isdecimal() and len(limit) < 20 else None

    @recipients.default
    def _recipients(self) -> int | None:
        return self.limit("RCPTMAX")

    @recipient_domains.default
    def _recipient_domains(self) -> int | None:
        return self.limit("RCPTDOMAINMAX")

    @classmethod
    def of(cls, reply: Reply) -> "Offers":
        """Read an EHLO reply. Its first line is the server's name; what cannot be a keyword is passed over."""
        parameters: dict[str, str] = {}
        for line in reply.text.split("\n")[1:]:
            # "AUTH=LOGIN" is how some servers have written it since before the standard.
            keyword, _, rest = line.strip().replace("AUTH=", "AUTH ").partition(" ")
            name = keyword.upper()
            parameters[name] = f"{parameters[name]} {rest}" if name == "AUTH" and name in parameters else rest
        return cls(parameters)

    def __contains__(self, keyword: object) -> bool:
        return keyword in self.parameters

    @property
    def mechanisms(self) -> frozenset[str]:
        """What it takes for a login (RFC 4954)."""
        return frozenset(self.parameters.get("AUTH", "").upper().split())

    def limit(self, name: str) -> int | None:
        """One of its LIMITS (RFC 9422), such as ``MAILMAX``; None where it names none."""
        for pair in self.parameters.get("LIMITS", "").split():
            key, _, value = pair.partition("=")
            if key.upper() == name and value.isdecimal() and 0 < len(value) <= 6:
                return int(value) or None
        return None
