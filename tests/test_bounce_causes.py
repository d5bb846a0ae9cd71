"""Why a mail came back: by a server's own words, by its status, and which of them counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.bounce_causes import SAID_LIMIT, cause_of, kind_of_failure
from custom_smtp.events import BounceKind, Cause


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("550-5.1.1 The email account that you tried to reach does not\n550-5.1.1 exist. Please try", "NO_SUCH_USER"),
        ("554 delivery error: dd This user doesn't have a yahoo.com account (ada@example.net) [-5]", "NO_SUCH_USER"),
        ("550 5.1.1 <spam@example.net>: User unknown in local recipient table", "NO_SUCH_USER"),
        ("550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "NO_SUCH_USER"),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ada@example.net not found", "NO_SUCH_USER"),
        ("Sorry, I couldn\u2019t find any host named example.net. (#5.1.2)", "NO_SUCH_DOMAIN"),
        ("Host or domain name not found. Name service error for name=example.net type=A", "NO_SUCH_DOMAIN"),
        ("556 5.1.10 Recipient address has null MX", "NO_MAIL_TAKEN"),
        ("552 5.2.2 The email account that you tried to reach is over quota", "MAILBOX_FULL"),
        ("554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException", "MAILBOX_FULL"),
        ("550 5.2.1 The email account that you tried to reach is disabled.", "MAILBOX_DISABLED"),
        ("552 5.3.4 Message size exceeds fixed limit", "TOO_LARGE"),
        ("550 5.7.1 [192.0.2.1 12] Our system has detected that this message is likely unsolicited mail.", "SPAM"),
        ("554 5.7.1 Message rejected under suspicion of SPAM", "SPAM"),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "REPUTATION"),
        ("550 5.7.606 Access denied, banned sending IP [192.0.2.1]", "REPUTATION"),
        ("550-5.7.26 Unauthenticated email from shop.example is not accepted due to domain's", "AUTHENTICATION"),
        ("550 5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", "AUTHENTICATION"),
        ("550 5.7.1 [CS01] Message rejected due to local policy.", "POLICY"),
        ("450 4.2.0 <ada@example.net>: Recipient address rejected: Greylisted, see http://example.net", "GREYLISTED"),
        ("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume", "RATE_LIMITED"),
        ("550 5.7.1 Unable to relay for ada@example.net", "RELAY_DENIED"),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "RELAY_DENIED"),
        ("connect to mx.example.net[192.0.2.1]:25: Connection timed out", "NETWORK"),
        ("retry timeout exceeded", "EXPIRED"),
        ("mail for example.net loops back to myself", "LOOP"),
        ("Your mail is infected by virus Eicar", "VIRUS"),
        ("451 4.3.0 temporary system problem", "SYSTEM_ERROR"),
        ("550 5.1.8 Sender address rejected: Domain not found", "SENDER_REFUSED"),
        ("530 5.7.0 Must issue a STARTTLS command first", "TLS"),
        ("502 5.5.2 Error: command not recognized", "PROTOCOL"),
        ("ユーザーは登録されていません", "NO_SUCH_USER"),
        ("550 5.7.515 Access denied, sending domain SHOP.EXAMPLE doesn't meet the required authentication level.",
         "AUTHENTICATION"),
        ("550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction",
         "RECIPIENT_REFUSES"),
        ("550 5.7.60 SMTP; Client does not have permissions to send as this sender", "SENDER_REFUSED"),
        ("550 5.7.27 Sender address has null MX", "SENDER_REFUSED"),
        ("550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP", "REPUTATION"),
        ("554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1", "REPUTATION"),
        ("550 #5.7.1 Your access to submit messages to this e-mail system has been rejected.", "REPUTATION"),
        ("550 5.7.1 <shop.example>: Helo command rejected: Host not found", "REPUTATION"),
        ("553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
         "REPUTATION"),
        ("554 5.7.1 virus Eicar-Test-Signature detected by ClamAV", "VIRUS"),
        ("554 5.3.5 mail loops back to me (MX problem?)", "LOOP"),
        ("554 DT:SPM 163 smtp", "SPAM"),
        ("550 5.4.1 All recipient addresses rejected : Access denied", "NO_SUCH_USER"),
        ("The number of messages in recipient's mailbox exceeded the local limit.", "MAILBOX_FULL"),
        ("because the destination computer was not found.", "NO_SUCH_DOMAIN"),
        ("收件人邮件地址（ada@example.net）不存在", "NO_SUCH_USER"),
        ("go away", "UNKNOWN"),
        ("", "UNKNOWN"),
    ],
)  # fmt: skip
def test_a_servers_words_tell_why(said: str, cause: str) -> None:
    assert cause_of(said).name == cause


@pytest.mark.parametrize(
    ("said", "status", "cause"),
    [
        ("", "5.1.1", "NO_SUCH_USER"),
        ("", "5.2.2", "MAILBOX_FULL"),
        ("", "4.4.7", "EXPIRED"),
        ("", "5.99.99", "UNKNOWN"),
        ("go away", "5.7.193", "POLICY"),
        ("go away", "5.6.99", "CONTENT"),
        ("", "5.7.13", "MAILBOX_DISABLED"),
        ("mailbox full", "5.1.1", "MAILBOX_FULL"),
        ("access denied", "5.2.2", "MAILBOX_FULL"),
        ("access denied", "5.0.0", "POLICY"),
        ("this is spam", "5.7.1", "SPAM"),
        ("no", "5.7.1", "POLICY"),
    ],
)
def test_the_more_exact_of_words_and_status_counts(said: str, status: str, cause: str) -> None:
    assert cause_of(said, status).name == cause


@pytest.mark.parametrize(
    ("cause", "said", "status", "kind"),
    [
        (Cause.NO_SUCH_USER, "", "5.1.1", "HARD"),
        (Cause.NO_SUCH_USER, "", "4.1.1", "SOFT"),
        (Cause.NO_SUCH_USER, "450 no such user", "", "SOFT"),
        (Cause.SPAM, "", "5.1.1", "BLOCK"),
        (Cause.UNKNOWN, "", "5.1.1", "HARD"),
        (Cause.UNKNOWN, "550 no", "", "HARD"),
        (Cause.UNKNOWN, "554 no", "", "UNDETERMINED"),
        (Cause.UNKNOWN, "no", "", "UNDETERMINED"),
    ],
)
def test_what_it_says_about_the_address(cause: Cause, said: str, status: str, kind: str) -> None:
    assert kind_of_failure(cause, said, status) is BounceKind[kind]


def test_words_behind_the_limit_count_for_nothing() -> None:
    assert cause_of("x " * SAID_LIMIT + "user unknown") is Cause.UNKNOWN


@given(st.text(max_size=200), st.text(max_size=10))
def test_any_words_and_any_status_have_a_cause(said: str, status: str) -> None:
    assert isinstance(cause_of(said, status), Cause)
    assert isinstance(kind_of_failure(cause_of(said, status), said, status), BounceKind)


PIECES = (
    "User unknown", "mailbox", "full", "Mailbox's full", "quota", "<ada@example.net>", "no@such", "user",
    "no such user", "550", "5.1.1", "-", "_", "\x00", "\x1c", "\x7f", "\t", "\n", " ", "spam", "greylisted", "relay",
    "denied",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.sampled_from(["", "5.1.1", "5.7.1", "4.2.0"]))
def test_words_in_ascii_are_told_as_those_of_any_script(said: str, status: str) -> None:
    assert cause_of(said, status) == cause_of(f"{said} \u00e9", status)
