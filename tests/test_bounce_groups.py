"""The groups of fields in a delivery status: what is read at a glance is what care reads."""

from hypothesis import given
from hypothesis import strategies as st

from custom_smtp._bounce_groups import careful_groups, groups, plain_groups
from custom_smtp._bounce_mail import FIELDS_LIMIT, HEADER_LIMIT

LIMIT = 1_001
STATUS = b"Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; a@b\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550\n  no\n"
ATOMS = (
    b"\n", b"\n\n", b" ", b"\t", b"\r\n", b":", b"a", b"Status", b"Status: 5.1.1\n", b"Final-Recipient: rfc822; a@b\n",
    b"FINAL-RECIPIENT : x\n", b"Action: failed\n", b"\n \n", b"\n  on", b"\x0b", b"\x00", b"\xc3\xa9", b"\xff", STATUS,
)  # fmt: skip


def told(content: bytes) -> list[dict[str, str]]:
    return [group for group in groups(content, LIMIT) if group]


@given(st.lists(st.sampled_from(ATOMS), max_size=30).map(b"".join))
def test_a_glance_says_what_care_says_or_nothing(status: bytes) -> None:
    plain = plain_groups(status)

    assert plain is None or [*filter(None, plain)] == [*filter(None, careful_groups(status, LIMIT))]


def test_a_plain_status_is_read_at_a_glance() -> None:
    assert plain_groups(STATUS) == told(STATUS)
    assert [list(group) for group in told(STATUS)] == [
        ["reporting-mta"],
        ["final-recipient", "status", "diagnostic-code"],
    ]
    assert told(STATUS)[1]["diagnostic-code"] == "smtp; 550 no"


def test_what_is_not_plain_is_read_with_care() -> None:
    twice = b"Final-Recipient: rfc822; a@b\nStatus: 5.1.1\nFinal-Recipient: rfc822; c@d\nStatus: 5.2.2\n"
    for odd in (twice, STATUS.replace(b"\n", b"\r\n"), STATUS + b"X-\xc3\xa9: 1\n"):
        assert plain_groups(odd) is None
        assert len(told(odd)) == 2


def test_what_is_long_is_read_within_bounds() -> None:
    many = b"".join(b"X%d: 1\n" % number for number in range(FIELDS_LIMIT + 1))
    long = b"X: " + b"y" * HEADER_LIMIT

    assert plain_groups(many) is plain_groups(long) is None
    assert len(told(many)[0]) == FIELDS_LIMIT
    assert len(told(long)[0]["x"]) == HEADER_LIMIT - 3
