"""Who is known among readers, and what one request says."""

import pickle
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import ConfigurationError
from custom_smtp.readers import (
    AGENTS,
    NETWORKS,
    PREFETCH_HEADERS,
    RETIRED,
    TABLES,
    Agent,
    Facts,
    Network,
    Row,
    Tables,
    range_of,
)
from custom_smtp.web import Request

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize("row", [*AGENTS, *NETWORKS], ids=lambda row: row.evidence)
def test_every_row_has_a_source_and_a_month_and_says_something(row: Row) -> None:
    assert re.match(r"https://[^/ ]+\.[^/ ]+/", row.source)
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", row.as_of)
    assert row.proxied or row.prefetched or row.machine
    assert row.evidence.isprintable()


@pytest.mark.parametrize("ways", [{}, {"whole": "a", "part": "a"}, {"begins": "a", "part": "b"}, {"part": ""}])
def test_a_program_is_known_in_one_way(ways: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"'x' is known by one of"):
        Agent(evidence="x", machine=True, source="s", as_of="2026-11", **ways)


@given(st.lists(st.sampled_from(["curl/", "Embedly", "Mozilla/5.0", "x", " ", "Slackbot"]), max_size=3).map("".join))
def test_whoever_is_known_is_found_and_nobody_else(user_agent: str) -> None:
    assert TABLES.rows(user_agent, "") == tuple(agent for agent in AGENTS if agent.made(user_agent))


def test_no_name_stands_for_two_rows_or_for_one_that_was_taken_out() -> None:
    names = [row.evidence for row in (*AGENTS, *NETWORKS)]
    assert len(set(names)) == len(names)
    assert not RETIRED & set(names)


@pytest.mark.parametrize(
    ("user_agent", "known"),
    [
        ("Mozilla/5.0 (Windows NT 5.1) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "GoogleImageProxy"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "YahooMailProxy"),
        ("Mozilla/5.0", "Apple Mail Privacy Protection"),
        ("Mozilla/5.0 (Windows NT 10.0) Edge/12.246 Gmail-content-sampling", "Gmail-content-sampling"),
        ("Barracuda Sentinel (EE)", "Barracuda Sentinel"),
        ("Mozilla/5.0 (Linux) (compatible; Google-Safety; +http://www.google.com/bot.html)", "Google-Safety"),
        ("AppEngine-Google; (+http://code.google.com/appengine; appid: s~virustotalcloud)", "VirusTotal"),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "facebookexternalhit"),
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Slackbot"),
        ("WhatsApp/2.23.18.78 i", "WhatsApp"),
        ("TelegramBot (like TwitterBot)", "TelegramBot"),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", "SkypeUriPreview"),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b", "BingPreview"),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/74.0.3729.169 Safari/537.36", "HeadlessChrome"),
        ("curl/7.29.0", "curl"),
        ("python-requests/2.9.2", "python-requests"),
        ("Python/3.9 aiohttp/3.7.3", "aiohttp"),
        ("Go-http-client/1.1", "Go-http-client"),
    ],
)
def test_programs_are_known_by_what_they_call_themselves(user_agent: str, known: str) -> None:
    assert [row.evidence for row in TABLES.rows(user_agent, "")] == [known]


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        CHROME,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile Safari/604.1",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)",
        "okhttp/4.12.0",
        "MobileMail/3826 CFNetwork/1568 Darwin/24.1",
        "my curl/8",
    ],
)
def test_a_program_for_people_is_in_no_table(user_agent: str) -> None:
    assert TABLES.rows(user_agent, "192.0.2.1") == ()


PROXY = Network(
    evidence="a proxy",
    ranges=["192.0.2.0/24", "2001:db8::/32"],
    proxied=True,
    source="https://a.example/",
    as_of="2026-11",
)
SCANNER = Network(
    evidence="a scanner", ranges=["192.0.2.128/25"], machine=True, source="https://b.example/", as_of="2026-11"
)
KNOWN = Tables(networks=(PROXY, SCANNER))


@pytest.mark.parametrize(
    ("client", "known"),
    [
        ("192.0.2.1", (PROXY,)),
        ("192.0.2.200", (PROXY, SCANNER)),
        ("::ffff:192.0.2.200", (PROXY, SCANNER)),
        ("192.0.3.1", ()),
        ("2001:db8:1::1", (PROXY,)),
        ("2001:db9::1", ()),
        ("192.0.2.0/24", (PROXY,)),
        ("192.0.0.0/16", ()),
        ("2001:db8:1::/48", (PROXY,)),
        ("", ()),
        ("unix:", ()),
    ],
)
def test_networks_are_known_by_address_and_by_range(client: str, known: tuple[Network, ...]) -> None:
    assert KNOWN.rows("", client) == known


@given(st.ip_addresses(), st.lists(st.integers(0, 128), max_size=5))
def test_an_address_is_found_in_each_range_that_holds_it(address: Any, lengths: list[int]) -> None:
    at = range_of(str(address))
    assert at is not None
    within = [at.supernet(new_prefix=min(length, at.prefixlen)) for length in lengths]
    networks = tuple(
        Network(evidence=str(one), ranges=[str(one)], machine=True, source="s", as_of="2026-11")
        for one in dict.fromkeys(within)
    )
    found = Tables(networks=networks).rows("", str(address))
    assert set(found) == set(networks)


@pytest.mark.parametrize("text", ["", "192.0.2.1/24", "example.net", "192.0.2"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no range of addresses"):
        Network(evidence="x", ranges=[text], source="s", as_of="2026-11")


@pytest.mark.parametrize("name", PREFETCH_HEADERS)
@pytest.mark.parametrize(("value", "sign"), [("prefetch", 1), ("Prefetch;prerender", 1), ("", 0), ("no prefetch", 0)])
def test_a_browser_that_asks_ahead_says_so(name: str, value: str, sign: int) -> None:
    assert Facts.of(Request(headers={name: value})).signs == (f"{name}: prefetch",) * sign


def test_what_a_request_says_is_kept() -> None:
    request = Request(method="head", headers={"User-Agent": CHROME, "X-Moz": "prefetch"}, client="192.0.2.1")
    facts = Facts(user_agent=CHROME, client="192.0.2.1", signs=("HEAD", "X-Moz: prefetch"))
    assert Facts.of(request) == facts
    assert Facts.of(request, "203.0.113.9").client == "203.0.113.9"
    assert Facts.of(request, "").client == ""


@given(st.text(st.characters()))
def test_what_is_kept_has_an_end_and_can_be_written(text: str) -> None:
    facts = Facts.of(Request(headers={"user-agent": text}, client=text * 100))
    for fact in (facts.user_agent, facts.client):
        assert len(fact) <= 512
        fact.encode()


def test_what_is_remembered_of_programs_has_an_end_and_changes_no_answer() -> None:
    def small(tables: Tables) -> int:
        return len(pickle.dumps(tables))

    tables = Tables()
    before = small(tables)
    for number in range(5_000):
        assert tables.rows(f"{number} curl", "") == ()
        assert [row.evidence for row in tables.rows(f"curl/{number}", "")] == ["curl"]
        if number == 1_000:
            full = small(tables)
    assert before < full
    assert small(tables) <= 2 * full
    assert pickle.loads(pickle.dumps(tables)) == tables == Tables()
