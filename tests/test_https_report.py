"""HTTPS and HSTS of a host of links: what an answer means, and what a header says."""

import pytest
from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import SendingDomain
from custom_smtp.domains import Finding
from custom_smtp.https_answers import HttpsAnswer, HttpsFailure
from custom_smtp.https_report import Hsts, HttpsReport, verify_https

DOMAIN = SendingDomain(
    name="shop.example",
    mail_host="send.shop.example",
    link_host="links.shop.example",
    link_target="track.eu.example",
    mail_exchange="10 mx.eu.example.",
    spf_include="_spf.eu.example",
    dkim_selector="s1",
    dkim_record="v=DKIM1; k=ed25519; p=11qYAYKx",
)
YEAR = 31_536_000
NOBODY = HttpsAnswer(failure=HttpsFailure.UNREACHABLE, words="refused")


@frozen
class Answers:
    """A probe that knows what each host says; any other is out of reach."""

    known: dict[str, HttpsAnswer]
    asked: list[tuple[str, str]] = field(factory=list)

    def ask(self, host: str, path: str = "/", /) -> HttpsAnswer:
        self.asked.append((host, path))
        return self.known.get(host, NOBODY)


def report(answer: HttpsAnswer, above: HttpsAnswer = NOBODY) -> HttpsReport:
    return verify_https(DOMAIN, Answers({"links.shop.example": answer, "shop.example": above}))


# --- The host ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 400, 401, 404, 405, 410])
def test_a_host_that_answers_is_well(status: int) -> None:
    found = report(HttpsAnswer(status=status))
    assert (found.https, found.advice, found.host) == (Finding.OK, "", "links.shop.example")
    assert found.why_not("https") == found.why_not("http") == ""


@pytest.mark.parametrize(
    ("answer", "finding", "advice"),
    [
        (NOBODY, Finding.MISSING, "let a server listen there on port 443 (refused)"),
        (HttpsAnswer(failure=HttpsFailure.SILENT), Finding.UNKNOWN, "ask again later"),
        (HttpsAnswer(failure=HttpsFailure.NO_TLS), Finding.WRONG, "TLS 1.2 or 1.3"),
        (HttpsAnswer(failure=HttpsFailure.CERTIFICATE, words="expired"), Finding.WRONG, "get one for this name"),
        (HttpsAnswer(failure=HttpsFailure.NOT_HTTP), Finding.WRONG, "let a web server listen"),
        (HttpsAnswer(status=301, location="https://www.shop.example/"), Finding.WRONG, "'https://www.shop.example/'"),
        (HttpsAnswer(status=308), Finding.WRONG, "let it answer itself"),
        (HttpsAnswer(status=421), Finding.WRONG, "add it to its settings"),
        (HttpsAnswer(status=503), Finding.WRONG, "fails (503)"),
        (HttpsAnswer(status=103), Finding.WRONG, "fails (103)"),
    ],
)
def test_a_host_that_is_not_as_it_must_be(answer: HttpsAnswer, finding: Finding, advice: str) -> None:
    found = report(answer)
    assert found.https is finding
    assert advice in found.advice
    assert found.why_not("https") == found.advice
    assert found.why_not("http") == ""


def test_every_failure_has_its_finding() -> None:
    for failure in HttpsFailure:
        assert report(HttpsAnswer(failure=failure)).advice


def test_the_path_of_the_base_url_is_asked_for() -> None:
    probe = Answers({})
    verify_https(DOMAIN, probe, path="/t/")
    assert probe.asked == [("links.shop.example", "/t/"), ("shop.example", "/")]


# --- HSTS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "finding", "policy"),
    [
        (None, Finding.MISSING, None),
        (f"max-age={YEAR}", Finding.OK, Hsts(YEAR)),
        ("max-age=0", Finding.WRONG, Hsts(0)),
        ("includeSubDomains", Finding.WRONG, None),
    ],
)
def test_the_policy_is_told(header: str | None, finding: Finding, policy: Hsts | None) -> None:
    found = report(HttpsAnswer(status=404, hsts=header))
    assert (found.hsts, found.policy, found.https) == (finding, policy, Finding.OK)


def test_of_a_host_that_did_not_answer_no_policy_is_known() -> None:
    assert report(NOBODY).hsts is Finding.UNKNOWN


def test_a_policy_above_makes_links_in_clear_fail() -> None:
    found = report(NOBODY, HttpsAnswer(status=200, hsts=f"max-age={YEAR}; includeSubDomains"))
    assert found.forced_by == "shop.example"
    assert found.why_not("http").startswith("shop.example makes browsers ask it by https alone (HSTS), where nobody")


@pytest.mark.parametrize("hsts", [None, f"max-age={YEAR}", "max-age=0; includeSubDomains", "includeSubDomains"])
def test_a_policy_above_that_is_none_for_the_host_forces_nothing(hsts: str | None) -> None:
    assert report(NOBODY, HttpsAnswer(status=200, hsts=hsts)).forced_by == ""


def test_a_domain_that_is_not_above_is_not_asked() -> None:
    probe = Answers({})
    verify_https(evolve(DOMAIN, link_host="links.other.example"), probe)
    assert probe.asked == [("links.other.example", "/")]


@pytest.mark.parametrize(
    ("header", "policy"),
    [
        ("max-age=31536000", Hsts(YEAR)),
        ("max-age=31536000 ; includeSubDomains", Hsts(YEAR, include_sub_domains=True)),  # RFC 6797 section 6.2
        ('max-age="31536000"', Hsts(YEAR)),
        ("MAX-AGE=1;INCLUDESUBDOMAINS", Hsts(1, include_sub_domains=True)),
        (" ; max-age = 5 ;; ", Hsts(5)),
        ("includeSubDomains; preload; max-age=5; x=\"a;b\\\"c\"", Hsts(5, include_sub_domains=True)),
        ("max-age=0", Hsts(0)),
        ("max-age=007", Hsts(7)),
        ("max-age=" + "9" * 5000, Hsts(10**12)),
        ("", None),
        (";", None),
        ("max-age", None),
        ("max-age=", None),
        ("max-age=-1", None),
        ("max-age=1.5", None),
        ("max-age=١", None),
        ('max-age=""', None),
        ('max-age="1', None),
        ("max-age=1; max-age=1", None),
        ("max-age=1, includeSubDomains", None),
        ("max-age=1 includeSubDomains", None),
        ("max-age=1; x y", None),
        ("max-age=1; =x", None),
    ],
)  # fmt: skip
def test_a_header_is_read_as_browsers_read_it(header: str, policy: Hsts | None) -> None:
    assert Hsts.read(header) == policy


@given(st.text() | st.text('max-age=019; "\\includeSubDomains'))
def test_no_header_breaks_it(header: str) -> None:
    policy = Hsts.read(header)
    assert policy is None or 0 <= policy.max_age <= 10**12


@given(st.integers(0, 10**12 - 1), st.booleans(), st.sampled_from(["max-age", "Max-Age", "MAX-AGE"]))
def test_what_is_written_is_read(age: int, below: bool, name: str) -> None:
    assert Hsts.read(f"{name}={age}{'; includeSubDomains' if below else ''}") == Hsts(age, below)
