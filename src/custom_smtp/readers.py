"""Who is at the other end of a tracked link or pixel: a person, a proxy in a person's stead, or a machine."""

from attrs import frozen

from .web import Request


@frozen(kw_only=True)
class Agent:
    """A program known by its User-Agent, and what its requests say about people.

    Attributes:
        evidence: the name it goes by in an event.
        whole: the complete User-Agent, or
        part: what stands in it.
        proxied: it loads pictures in the stead of a person who looks.
        prefetched: it loads pictures whether or not a person looks.
        machine: it follows links that no person followed.
        source: where this is known from.
        as_of: when the source was read.
    """

    evidence: str
    whole: str = ""
    part: str = ""
    proxied: bool = False
    prefetched: bool = False
    machine: bool = False
    source: str
    as_of: str

    def made(self, user_agent: str) -> bool:
        """Whether it made a request with this User-Agent."""
        return user_agent == self.whole if self.whole else self.part in user_agent


AGENTS = (
    Agent(
        evidence="GoogleImageProxy",
        part="GoogleImageProxy",
        proxied=True,
        source="https://github.com/browscap/browscap/issues/1108",
        as_of="2026-11",
    ),
    Agent(
        evidence="YahooMailProxy",
        part="YahooMailProxy",
        proxied=True,
        source="https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        as_of="2026-11",
    ),
    Agent(
        evidence="Apple Mail Privacy Protection",
        whole="Mozilla/5.0",
        prefetched=True,
        source="https://support.clickdimensions.com/hc/en-us/articles/15707875851917-Introduction-to-Adjusted-Opens",
        as_of="2026-11",
    ),
    Agent(
        evidence="Gmail-content-sampling",
        part="Gmail-content-sampling",
        prefetched=True,
        machine=True,
        source="https://github.com/mssola/user_agent/issues/71",
        as_of="2026-11",
    ),
)
"""Programs that are not what they seem. What is not known for sure is not listed."""

PREFETCH_HEADERS = ("Sec-Purpose", "Purpose", "X-Moz")
"""Headers whose value ``prefetch`` says that nobody has asked for the page yet."""

_LONGEST_FACT = 512


@frozen(kw_only=True)
class Facts:
    """What one request says about whoever made it.

    Attributes:
        user_agent: what it calls itself.
        client: the address it came from.
        signs: what in the request says that no person waits for the answer.
        agents: the known programs that call themselves so.
    """

    user_agent: str
    client: str
    signs: tuple[str, ...]
    agents: tuple[Agent, ...]

    @classmethod
    def of(cls, request: Request) -> "Facts":
        """What this request says."""
        user_agent = _fact(request.headers.get("user-agent", ""))
        return cls(
            user_agent=user_agent,
            client=_fact(request.client),
            signs=_signs(request),
            agents=tuple(agent for agent in AGENTS if agent.made(user_agent)),
        )


def _signs(request: Request) -> tuple[str, ...]:
    asked = ("HEAD",) if request.method == "HEAD" else ()
    said = {name: request.headers.get(name.lower(), "").lower() for name in PREFETCH_HEADERS}
    return asked + tuple(f"{name}: prefetch" for name, value in said.items() if value.startswith("prefetch"))


def _fact(text: str) -> str:
    """Text from outside, short enough to keep, and such that any journal can write it."""
    return text[:_LONGEST_FACT].encode("utf-8", "replace").decode()
