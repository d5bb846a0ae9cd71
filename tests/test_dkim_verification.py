"""Checking signatures: RFC 6376 section 6, RFC 8301, RFC 8463; dkimpy signs for it."""

import base64
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import dkim  # type: ignore[import-untyped]  # it has no types
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_smtp.dkim import DkimSigner
from custom_smtp.dkim_canonical import Form, canonical_body, canonical_header
from custom_smtp.dkim_verification import MOST_SIGNATURES, Reason, Verdict, Verification, verify_signatures
from custom_smtp.errors import ConfigurationError, ResolveError
from custom_smtp.testing import StaticResolver

from .dkim_world import MAIL, NOON, SEED, ed25519, ed25519_key, pem, resolver, rsa, rsa_key

# RFC 8463, appendix A
FOOTBALL = "football.example.com"
DINNER = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.

"""
FOOTBALL_DNS = StaticResolver(
    {
        (f"brisbane._domainkey.{FOOTBALL}", "TXT"): [
            '"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="'
        ],
        (f"test._domainkey.{FOOTBALL}", "TXT"): [
            (
                '"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6"'
                ' "wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9P"'
                ' "zoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"'
            )
        ],
    }
)


def reasons(content: bytes, dns: StaticResolver, at: datetime = NOON) -> list[Reason]:
    return [each.reason for each in verify_signatures(content, dns, at)]


@pytest.mark.parametrize("content", [DINNER, DINNER.replace(b"\n", b"\r\n")])
def test_both_signatures_of_the_example_in_rfc_8463_are_right(content: bytes) -> None:
    first, second = verify_signatures(content, FOOTBALL_DNS, NOON)
    assert first == Verification(
        reason=Reason.RIGHT,
        domain=FOOTBALL,
        selector="brisbane",
        identity=f"@{FOOTBALL}",
        algorithm="ed25519-sha256",
        names=("from", "to", "subject", "date", "message-id", "from", "subject", "date"),
    )
    assert (second.verdict, second.selector, second.algorithm) == (Verdict.PASSED, "test", "rsa-sha256")


@given(st.integers(0, len(DINNER) - 3))
def test_one_letter_changed_in_the_example_is_seen(at: int) -> None:
    changed = DINNER[:at] + bytes([DINNER[at] ^ 1]) + DINNER[at + 1 :]
    found = reasons(changed, FOOTBALL_DNS)
    # Blanks may change (a tab is another letter than a blank), and so may the case of names.
    assert found != [Reason.RIGHT] * 2 or DINNER[at : at + 1].isspace() or changed[at : at + 1].isspace()


# --- what dkimpy signs ------------------------------------------------------------------------------------------------

ED25519_FOR_DKIMPY = base64.b64encode(SEED)


@given(
    st.sampled_from(Form),
    st.sampled_from(Form),
    st.booleans(),
    st.lists(st.sampled_from([" ", "\t", "\r\n", "a", "é", ".", ";"]), max_size=30).map("".join),
)
@settings(max_examples=60)
def test_what_dkimpy_signs_is_right(headers: Form, body: Form, length: bool, text: str) -> None:
    content = MAIL + text.encode() + b"x\r\n"
    pkcs1 = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    forms = (headers.encode(), body.encode())
    for selector, key, algorithm in (
        (b"s1", pkcs1, b"rsa-sha256"),
        (b"s1-ed", ED25519_FOR_DKIMPY, b"ed25519-sha256"),
    ):
        content = (
            dkim.sign(
                content,
                selector,
                b"shop.example",
                key,
                canonicalize=forms,
                signature_algorithm=algorithm,
                length=length,
            )
            + content
        )
    assert reasons(content, resolver(rsa(), ed25519()), datetime.now(UTC)) == [Reason.RIGHT] * 2


# --- signatures made by hand ------------------------------------------------------------------------------------------


def signed(
    content: bytes = MAIL, *, header: str = "DKIM-Signature: ", drop: str = "", extra: str = "", **changed: str
) -> bytes:
    """A right signature by hand, then one with other tags, as right as it can be."""
    body = content.partition(b"\r\n\r\n")[2]
    told = {
        "v": "1",
        "a": "ed25519-sha256",
        "c": "relaxed/relaxed",
        "d": "shop.example",
        "s": "s1-ed",
        "h": "from:subject",
        "bh": base64.b64encode(sha256(canonical_body(body, Form.RELAXED)).digest()).decode(),
    }
    proof = changed.pop("b", None)
    told |= changed
    told.pop(drop, None)
    text = header + "; ".join(f"{name}={value}" for name, value in told.items()) + extra
    if drop == "b":
        return text.encode() + b"\r\n" + content
    fields = {line.partition(b":")[0].lower(): line for line in content.partition(b"\r\n\r\n")[0].split(b"\r\n")}
    names = dict.fromkeys(name.strip().encode() for name in told.get("h", "").split(":"))
    named = [fields[name] for name in names if name in fields]
    chosen = [canonical_header(each, Form.RELAXED) for each in (*named, f"{text}; b=".encode())]
    if proof is None:
        key = ed25519_key() if told.get("a") != "rsa-sha256" else None
        message = b"\r\n".join(chosen)
        raw = key.sign(sha256(message).digest()) if key else rsa_key().sign(message, PKCS1v15(), SHA256())
        proof = base64.b64encode(raw).decode()
    return f"{text}; b={proof}\r\n".encode() + content


BODY_OCTETS = len(b"It is on its way.\r\n")


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({}, Reason.RIGHT),
        ({"a": "rsa-sha256", "s": "s1"}, Reason.RIGHT),
        ({"extra": "; zz=of a later standard; z=From:x"}, Reason.RIGHT),
        ({"extra": " ;"}, Reason.UNREADABLE),
        ({"header": "dkim-SIGNATURE \t:  "}, Reason.RIGHT),
        ({"header": "DKIM-Signature:\r\n\t"}, Reason.RIGHT),
        ({"v": "2"}, Reason.VERSION),
        ({"v": "1.0"}, Reason.VERSION),
        ({"v": ""}, Reason.VERSION),
        *[({"drop": name}, Reason.UNREADABLE) for name in ("v", "a", "b", "bh", "d", "h", "s")],
        ({"extra": "; d=shop.example"}, Reason.UNREADABLE),
        ({"extra": "; nonsense"}, Reason.UNREADABLE),
        ({"a": "rsa-sha1"}, Reason.ALGORITHM),
        ({"a": "ed25519-sha512"}, Reason.ALGORITHM),
        ({"a": ""}, Reason.ALGORITHM),
        ({"a": "rsa-sha256"}, Reason.KEY_TYPE),
        ({"s": "s1"}, Reason.KEY_TYPE),
        ({"c": "relaxed"}, Reason.RIGHT),
        ({"c": "Relaxed/Simple"}, Reason.RIGHT),
        ({"c": "nowsp"}, Reason.FORM),
        ({"c": "relaxed/relaxed/relaxed"}, Reason.FORM),
        ({"c": "/simple"}, Reason.FORM),
        ({"q": "dns/txt"}, Reason.RIGHT),
        ({"q": "https : dns/txt"}, Reason.RIGHT),
        ({"q": "https"}, Reason.QUERY),
        ({"h": "subject"}, Reason.AUTHOR),
        ({"h": ""}, Reason.UNREADABLE),
        ({"h": "from:"}, Reason.UNREADABLE),
        ({"h": "from:sub ject"}, Reason.UNREADABLE),
        ({"h": "from:sübject"}, Reason.UNREADABLE),
        ({"h": " from : x-not-there : from:from"}, Reason.RIGHT),
        ({"h": "from:" + ":".join(["x-none"] * 100_000)}, Reason.RIGHT),
        ({"i": "@shop.example"}, Reason.RIGHT),
        ({"i": "ada@news.SHOP.example"}, Reason.RIGHT),
        ({"i": "a=20b@c@shop.example"}, Reason.RIGHT),
        ({"i": "@example"}, Reason.IDENTITY),
        ({"i": "@notshop.example"}, Reason.IDENTITY),
        ({"i": "@evil.example"}, Reason.IDENTITY),
        ({"i": "shop.example"}, Reason.IDENTITY),
        ({"i": "@"}, Reason.UNREADABLE),
        ({"t": "1767355200"}, Reason.RIGHT),
        ({"t": "yesterday"}, Reason.UNREADABLE),
        ({"x": "1767355200"}, Reason.RIGHT),
        ({"x": "1767355199"}, Reason.EXPIRED),
        ({"x": "0"}, Reason.EXPIRED),
        ({"x": "soon"}, Reason.UNREADABLE),
        ({"x": "9" * 5000}, Reason.UNREADABLE),
        ({"x": "١٧٦٧٣٥٥٢٠١"}, Reason.UNREADABLE),
        ({"t": "1767355200", "x": "1767355201"}, Reason.RIGHT),
        ({"t": "1767355200", "x": "1767355200"}, Reason.UNREADABLE),
        ({"l": str(BODY_OCTETS)}, Reason.RIGHT),
        ({"l": str(BODY_OCTETS + 1)}, Reason.LENGTH),
        ({"l": "9" * 76}, Reason.LENGTH),
        ({"l": "9" * 77}, Reason.UNREADABLE),
        ({"l": "-1"}, Reason.UNREADABLE),
        ({"l": "0"}, Reason.BODY),
        ({"l": "2", "bh": base64.b64encode(sha256(b"It").digest()).decode()}, Reason.RIGHT),
        ({"bh": base64.b64encode(bytes(32)).decode()}, Reason.BODY),
        ({"bh": ""}, Reason.BODY),
        ({"bh": "====" * 9}, Reason.UNREADABLE),
        ({"bh": "é"}, Reason.UNREADABLE),
        ({"b": ""}, Reason.HEADERS),
        ({"b": base64.b64encode(bytes(64)).decode()}, Reason.HEADERS),
        ({"b": "AAAA" * 100_000}, Reason.HEADERS),
        ({"b": "no base64!"}, Reason.UNREADABLE),
        ({"d": "evil.example"}, Reason.NO_KEY),
        ({"d": "SHOP.example"}, Reason.RIGHT),
        ({"d": "shop example"}, Reason.UNREADABLE),
        ({"d": "a." * 200}, Reason.UNREADABLE),
        ({"d": "x" * 100_000}, Reason.UNREADABLE),
        ({"d": ""}, Reason.UNREADABLE),
        ({"s": ""}, Reason.UNREADABLE),
        ({"s": "s2"}, Reason.NO_KEY),
        ({"s": "s1/../s2"}, Reason.UNREADABLE),
    ],
)
def test_each_thing_a_signature_says_is_checked(tags: dict[str, Any], reason: Reason) -> None:
    [found] = verify_signatures(signed(**tags), resolver(rsa(), ed25519()), NOON)
    assert found.reason is reason, found.detail


def key(text: str) -> str:
    return text.replace("KEY", ed25519().record.value.rpartition("p=")[2])


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["k=ed25519; p=KEY"], Reason.RIGHT),
        ([" v = DKIM1 ; k = ed25519 ;\tp = KEY ; "], Reason.RIGHT),
        (['"v=DKIM1; k=ed" "25519; p=" "KEY"'], Reason.RIGHT),
        (['"v=DKIM1\\; k=ed25519\\059 p=KEY"'], Reason.RIGHT),
        (["v=DKIM1; k=ed25519; p=KEY; n=notes; zz=later; g=ada"], Reason.RIGHT),
        (["v=DKIM1; k=ed25519; h=sha1:sha256; s=email; t=s:zz; p=KEY"], Reason.RIGHT),
        (["v=DKIM1; k=ed25519; s=web : *; p=KEY"], Reason.RIGHT),
        ([], Reason.NO_KEY),
        (["k=ed25519; p=KEY", "k=ed25519; p=KEY"], Reason.SEVERAL_KEYS),
        (["v=DKIM1; k=ed25519; p="], Reason.KEY_REVOKED),
        (["v=DKIM1; k=ed25519"], Reason.KEY_UNREADABLE),
        (["v=DKIM2; k=ed25519; p=KEY"], Reason.KEY_UNREADABLE),
        (["k=ed25519; v=DKIM1; p=KEY"], Reason.KEY_UNREADABLE),
        (["k=ed25519; p=KEY; p=KEY"], Reason.KEY_UNREADABLE),
        (["v=spf1 -all"], Reason.KEY_UNREADABLE),
        ([""], Reason.KEY_UNREADABLE),
        (['"k=ed25519; p=KEY'], Reason.KEY_UNREADABLE),
        (["\x00\udcff\U0010ffff"], Reason.KEY_UNREADABLE),
        (["k=ed25519; p=é"], Reason.KEY_UNREADABLE),
        (["k=ed25519; p=KEYKEY"], Reason.KEY_UNREADABLE),
        (["k=ed25519; p=AAAA"], Reason.KEY_UNREADABLE),
        ([f"k=ed25519; p={in_base64(bytes([255] * 32))}"], Reason.HEADERS),
        ([f"k=ed25519; p={in_base64(bytes(32))}"], Reason.HEADERS),
        (["p=KEY"], Reason.KEY_TYPE),
        (["k=rsa; p=KEY"], Reason.KEY_TYPE),
        (["k=; p=KEY"], Reason.KEY_TYPE),
        (["k=ed25519; h=sha1; p=KEY"], Reason.KEY_USE),
        (["k=ed25519; h=; p=KEY"], Reason.KEY_USE),
        (["k=ed25519; s=tlsrpt; p=KEY"], Reason.KEY_USE),
        (ResolveError("timed out"), Reason.NO_ANSWER),
    ],
)
def test_each_thing_a_key_says_is_checked(values: Any, reason: Reason) -> None:
    told = values if isinstance(values, ResolveError) else [key(value) for value in values]
    [found] = verify_signatures(signed(), resolver(**{"s1-ed": told}), NOON)
    assert found.reason is reason, found.detail


def public(numbers: Any) -> str:
    raw: bytes = numbers.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return in_base64(raw)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (lambda: public(rsa_key().public_key()), Reason.RIGHT),
        (lambda: in_base64(rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)), Reason.RIGHT),
        (lambda: public(rsa_key(1024).public_key()), Reason.HEADERS),
        (lambda: public(RSAPublicNumbers(65537, 2**767 + 1).public_key()), Reason.KEY_SIZE),
        (lambda: public(RSAPublicNumbers(65537, 2**16000 + 1).public_key()), Reason.KEY_SIZE),
        (lambda: public(ec.generate_private_key(ec.SECP256R1()).public_key()), Reason.KEY_UNREADABLE),
        (lambda: public(ed25519_key().public_key()), Reason.KEY_UNREADABLE),
        (lambda: "AAAA", Reason.KEY_UNREADABLE),
        (lambda: in_base64(SEED), Reason.KEY_UNREADABLE),
        (lambda: in_base64(pem(rsa_key())), Reason.KEY_UNREADABLE),
    ],
)
def test_rsa_keys_are_of_a_size_and_form_that_counts(told: Any, reason: Reason) -> None:
    [found] = verify_signatures(signed(a="rsa-sha256", s="s1"), resolver(s1=[f"v=DKIM1; p={told()}"]), NOON)
    assert found.reason is reason, found.detail


def test_a_key_of_1024_bits_still_counts() -> None:
    small = generate_private_key(65537, 1024)
    pkcs1 = small.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    content = dkim.sign(MAIL, b"s1", b"shop.example", pkcs1) + MAIL
    dns = resolver(s1=[f"p={public(small.public_key())}"])
    assert reasons(content, dns) == [Reason.RIGHT]


def test_a_key_for_its_own_domain_alone_signs_for_no_subdomain() -> None:
    strict = resolver(**{"s1-ed": [key("k=ed25519; t=s; p=KEY")]})
    assert reasons(signed(i="@shop.example"), strict) == [Reason.RIGHT]
    assert reasons(signed(i="@news.shop.example"), strict) == [Reason.IDENTITY]


def test_a_trial_is_told() -> None:
    [trial] = verify_signatures(signed(), resolver(**{"s1-ed": [key("k=ed25519; t=s:y; p=KEY")]}), NOON)
    [earnest] = verify_signatures(signed(), resolver(ed25519()), NOON)
    assert (trial.reason, trial.trial, earnest.trial) == (Reason.RIGHT, True, False)


def test_what_a_signature_leaves_open_is_told() -> None:
    content = signed(l=str(BODY_OCTETS))
    dns = resolver(ed25519())
    assert [each.uncovered for each in verify_signatures(content, dns, NOON)] == [0]
    [found] = verify_signatures(content + b"Buy now!\r\n", dns, NOON)
    assert (found.reason, found.uncovered) == (Reason.RIGHT, 10)


@pytest.mark.parametrize("odd", [b"\r", b"\n", b"\0"])
def test_headers_that_programs_may_read_in_two_ways_are_not_taken_for_those_that_were_signed(odd: bytes) -> None:
    content = signed(h="from:to")
    assert reasons(content, resolver(ed25519())) == [Reason.RIGHT]
    hidden = content.replace(b"\r\n\r\n", b"\r\nX-Odd: a" + odd + b"From: eve@evil.example\r\n\r\n", 1)
    assert reasons(hidden, resolver(ed25519())) == [Reason.MALFORMED]
    assert reasons(content.replace(b"\r\n", b"\n"), resolver(ed25519())) == [Reason.RIGHT]


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_a_verdict(reason: Reason) -> None:
    assert Verification(reason=reason).verdict in Verdict
    assert (Verification(reason=reason).verdict is Verdict.PASSED) is (reason is Reason.RIGHT)


def test_verdicts_are_those_of_rfc_8601() -> None:
    told = (Reason.RIGHT, Reason.BODY, Reason.HEADERS, Reason.EXPIRED, Reason.NO_ANSWER, Reason.NO_KEY)
    found = [str(Verification(reason=reason).verdict) for reason in told]
    assert found == ["pass", "fail", "fail", "fail", "temperror", "permerror"]


# --- several, none, too many ------------------------------------------------------------------------------------------


def test_each_signature_has_its_own_verdict() -> None:
    content = signed(s="s9") + b""
    both = DkimSigner([rsa()]).sign(content, NOON)
    found = verify_signatures(signed(both, v="3"), resolver(rsa(), ed25519()), NOON)
    assert [each.reason for each in found] == [Reason.VERSION, Reason.RIGHT, Reason.NO_KEY]


def test_a_signature_may_cover_another_but_never_itself() -> None:
    inner = signed()
    outer = DkimSigner([rsa()]).sign(inner, NOON)
    theirs = dkim.DKIM(inner)
    theirs.should_not_sign = ()
    covering = theirs.sign(
        b"s1",
        b"shop.example",
        rsa_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        include_headers=[b"from", b"dkim-signature"],
    )
    dns = resolver(rsa(), ed25519())
    assert reasons(outer, dns) == [Reason.RIGHT] * 2
    assert reasons(covering + inner, dns) == [Reason.RIGHT] * 2
    broken = re.sub(rb"b=[A-Za-z0-9+/]", b"b=!", inner, count=1)
    assert reasons(covering + broken, dns) == [Reason.HEADERS, Reason.UNREADABLE]


@pytest.mark.parametrize("content", [b"", MAIL, b"\r\n" + signed(), b"DKIM-Signature\r\n\r\n", b"\n\n", b"\xff\x00"])
def test_a_mail_without_signatures_has_no_verdicts(content: bytes) -> None:
    assert verify_signatures(content, resolver(ed25519()), NOON) == ()


def test_of_very_many_signatures_the_first_are_looked_at() -> None:
    content = signed()
    header = content[: len(content) - len(MAIL)]
    dns = resolver(ed25519())
    found = reasons(header * 5_000 + MAIL, dns)
    assert found == [Reason.RIGHT] * MOST_SIGNATURES + [Reason.TOO_MANY] * (5_000 - MOST_SIGNATURES)
    assert len(dns.asked) == MOST_SIGNATURES


@pytest.mark.parametrize("piece", [b";", b"a=", b"b=;", b" ", b"\r\n ", b"h=", b":", b"=", b"\xff", b"a=1;"])
def test_an_endless_signature_is_read_in_one_go(piece: bytes) -> None:
    content = b"DKIM-Signature: v=1; " + piece * (1_000_000 // len(piece)) + b"\r\n" + MAIL
    [found] = verify_signatures(content, resolver(ed25519()), NOON)
    assert found.reason is not Reason.RIGHT


def test_an_endless_record_is_read_in_one_go() -> None:
    for piece in ('"', '\\"', " ", ";", "p=", '" "'):
        dns = resolver(**{"s1-ed": ['"k=ed25519; p=' + piece * (300_000 // len(piece)) + "x"]})
        assert reasons(signed(), dns) != [Reason.RIGHT]


@given(st.binary(max_size=120) | st.text("vabhdsc=1;:/ \r\n@xé", max_size=80).map(str.encode))
def test_any_octets_have_a_verdict(told: bytes) -> None:
    for content in (told, b"DKIM-Signature:" + told + b"\r\n" + MAIL, b"DKIM-Signature: v=1;" + told):
        assert all(each.reason is not Reason.RIGHT for each in verify_signatures(content, resolver(ed25519()), NOON))


tag_values = st.sampled_from(
    ["", "1", "rsa-sha256", "ed25519-sha256", "shop.example", "s1", "s1-ed", "from", "from:to", "AAAA", "@x", "-1", "é"]
)


@given(
    st.dictionaries(st.sampled_from([*"vabcdhilqstx", "bh"]), tag_values, max_size=14),
    st.dictionaries(st.sampled_from("vhknpst"), tag_values | st.sampled_from(["DKIM1", "rsa", "ed25519"]), max_size=7),
)
@settings(max_examples=300)
def test_any_tags_have_a_verdict(tags: dict[str, str], record: dict[str, str]) -> None:
    told = {"v": "1", "h": "from", "d": "shop.example", "s": "s1", "a": "rsa-sha256", "b": "AAAA", "bh": "AAAA"} | tags
    text = "; ".join(f"{name}={value}" for name, value in told.items())
    dns = resolver(s1=["; ".join(f"{name}={value}" for name, value in record.items())])
    [found] = verify_signatures(f"DKIM-Signature: {text}\r\n".encode() + MAIL, dns, NOON)
    assert found.reason is not Reason.RIGHT


@given(st.binary(max_size=300))
def test_any_octets_in_place_of_a_key_have_a_verdict(raw: bytes) -> None:
    for kind, algorithm in (("rsa", "rsa-sha256"), ("ed25519", "ed25519-sha256")):
        dns = resolver(s1=[f"k={kind}; p={in_base64(raw)}"])
        assert reasons(signed(a=algorithm, s="s1", b="AAAA"), dns) != [Reason.RIGHT]


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no time zone"):
        verify_signatures(MAIL, resolver(), datetime(2026, 1, 2))  # noqa: DTZ001  # that is the point


def test_a_signature_made_later_than_now_counts() -> None:
    later = NOON + timedelta(days=1)
    assert reasons(DkimSigner([ed25519()]).sign(MAIL, later), resolver(ed25519())) == [Reason.RIGHT]
