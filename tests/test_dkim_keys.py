"""DKIM's keys: what is taken for one, the record to publish, and one key after the other."""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.dkim_keys import DkimKey, KeyPlan, KeyType, PlannedKey, RemoteKey, Takes, is_signature, seen
from custom_smtp.dns_records import txt_text
from custom_smtp.domains import Finding, SendingDomain, verify_key
from custom_smtp.errors import ConfigurationError, ResolveError, SigningError
from custom_smtp.testing import StaticResolver

from .dkim_world import NOON, SEED, ed25519, ed25519_key, pem, resolver, rsa, rsa_key


def key(private_key: Any, domain: str = "shop.example", selector: str = "s1") -> DkimKey:
    return DkimKey(domain=domain, selector=selector, private_key=private_key)


def public_pem(private: Any) -> bytes:
    told: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return told


# --- what is taken for a key ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(lambda: rsa_key(), id="loaded"),
        pytest.param(lambda: pem(rsa_key()), id="pem"),
        pytest.param(lambda: pem(rsa_key()).decode(), id="pem text"),
        pytest.param(lambda: b"\n " + pem(rsa_key()) + b"\n", id="pem, indented"),
        pytest.param(
            lambda: rsa_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()), id="pkcs1"
        ),
        pytest.param(lambda: rsa_key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), id="der"),
    ],
)
def test_an_rsa_key_is_read_from_any_form(told: Callable[[], Any]) -> None:
    assert key(told()).record == rsa().record
    assert key(told()).type is KeyType.RSA
    assert is_signature(key(told()).sign(b"x"), b"x", rsa().public_key)


@pytest.mark.parametrize(
    "told",
    [
        ed25519_key(),
        pem(ed25519_key()),
        pem(ed25519_key()).decode(),
        SEED,
        base64.b64encode(SEED),
        base64.b64encode(SEED).decode() + "\n",
    ],
)
def test_an_ed25519_key_is_read_from_any_form(told: Any) -> None:
    assert key(told, selector="s1-ed").record == ed25519().record
    assert key(told).type is KeyType.ED25519
    assert is_signature(key(told).sign(b"x"), b"x", ed25519().public_key)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (lambda: public_pem(rsa_key()), "give the private one"),
        (
            lambda: rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")),
            "decrypt the file",
        ),
        (
            lambda: rsa_key().private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"pw")
            ),
            "decrypt the file",
        ),
        (lambda: pem(rsa_key())[:200], "openssl genrsa 2048"),
        (lambda: b"", "openssl genrsa 2048"),
        (lambda: "ключ", "openssl genrsa 2048"),
        (lambda: "\ud800", "openssl genrsa 2048"),
        (lambda: b"x" * 33, "openssl genrsa 2048"),
        (lambda: b"!" * 44, "openssl genrsa 2048"),
        (lambda: base64.b64encode(SEED[:30] + b"\0\0\0")[:44], "openssl genrsa 2048"),
        (lambda: generate_private_key(65537, 1024), "1024 bits: make one of 2048"),
        (lambda: pem(generate_private_key(65537, 1024)), "1024 bits: make one of 2048"),
        (lambda: ec.generate_private_key(ec.SECP256R1()), "DKIM signs with RSA or Ed25519"),
        (lambda: None, "DKIM signs with RSA or Ed25519"),
        (lambda: rsa_key().public_key(), "DKIM signs with RSA or Ed25519"),
    ],
)
def test_what_cannot_sign_is_refused_with_what_to_do(told: Callable[[], Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        key(told())


def test_a_key_is_as_large_as_receivers_must_understand_at_most() -> None:
    assert key(rsa_key(4096)).sign(b"x")
    huge = RSAPublicNumbers(65537, 2**8191 + 1).public_key()
    with pytest.raises(ConfigurationError, match="8192 bits: make one of 2048"):
        RemoteKey(public_key=huge, sign=away)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda some: b"-----BEGIN PRIVATE KEY-----\n" + some))
def test_any_octets_are_a_key_or_refused(told: bytes) -> None:
    try:
        assert key(told).type in KeyType
    except ConfigurationError as error:
        assert "give" in str(error)


def test_no_key_is_ever_shown() -> None:
    told = pem(rsa_key()).decode()
    for shown in (repr(key(told)), str(key(SEED)), repr(PlannedKey(key(told), NOON))):
        assert "private" not in shown
        assert told.splitlines()[1] not in shown
    with pytest.raises(ConfigurationError) as refused:
        key(told.replace("A", "", 3))
    assert told.splitlines()[1][10:] not in str(refused.value)


@pytest.mark.parametrize(
    ("domain", "selector", "says"),
    [
        ("shop", "s1", "full domain name"),
        ("_x.example", "s1", "full domain name"),
        ("shop example", "s1", "no name in the DNS"),
        ("[192.0.2.1]", "s1", "no name in the DNS"),
        ("shop.example", "", "no name in the DNS"),
        ("shop.example", "s 1", "no name in the DNS"),
        ("shop.example", "s1\r\nBcc: x", "no name in the DNS"),
        ("a." * 100 + "example", ".".join(["b" * 60] * 2), "over 253"),
    ],
)
def test_a_key_stands_at_a_name_in_the_dns(domain: str, selector: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        key(SEED, domain, selector)


def test_names_are_taken_as_people_write_them() -> None:
    assert key(SEED, "Bücher.Example.", "S1.EU").host == "s1.eu._domainkey.xn--bcher-kva.example"


# --- the record -------------------------------------------------------------------------------------------------------


def test_the_record_of_an_ed25519_key_is_that_of_rfc_8463() -> None:
    private = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    record = key(private, "football.example.com", "brisbane").record
    assert (record.kind, record.name) == ("TXT", "brisbane._domainkey.football.example.com")
    assert record.value == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def test_a_long_record_is_published_in_pieces_that_are_read_as_one() -> None:
    record = key(rsa_key(4096)).record
    assert [len(piece) for piece in record.strings][:-1] == [255, 255]
    assert txt_text(" ".join(f'"{piece}"' for piece in record.strings)) == record.value


def test_what_is_published_is_checked_before_it_is_used() -> None:
    found = [
        verify_key(rsa().record, dns).finding
        for dns in (
            resolver(rsa()),
            resolver(),
            resolver(s1=[ed25519().record.value]),
            resolver(s1=[rsa().record.value, "v=DKIM1; p="]),
            resolver(s1=ResolveError("timed out")),
        )
    ]
    assert found == [Finding.OK, Finding.MISSING, Finding.WRONG, Finding.DUPLICATE, Finding.UNKNOWN]


def test_a_sending_domain_takes_the_record_as_it_is() -> None:
    domain = SendingDomain(
        name="shop.example",
        mail_host="send.shop.example",
        link_host="links.shop.example",
        link_target="track.eu.example",
        mail_exchange="10 mx.eu.example.",
        spf_include="_spf.eu.example",
        dkim_selector=rsa().selector,
        dkim_record=rsa().record.value,
    )
    assert [(one.name, one.value) for one in domain.records].count((rsa().record.name, rsa().record.value)) == 1


# --- a key elsewhere --------------------------------------------------------------------------------------------------


def rsa_service(takes: Takes) -> Callable[[bytes], bytes]:
    algorithm = Prehashed(SHA256()) if takes is Takes.DIGEST else SHA256()
    return lambda asked: rsa_key().sign(asked, PKCS1v15(), algorithm)


@pytest.mark.parametrize("takes", Takes)
def test_an_rsa_key_elsewhere_signs_as_one_at_hand(takes: Takes) -> None:
    elsewhere = key(RemoteKey(public_key=public_pem(rsa_key()), sign=rsa_service(takes), takes=takes))
    assert elsewhere.sign(b"headers") == rsa().sign(b"headers")
    assert elsewhere.record == rsa().record


def test_an_ed25519_key_elsewhere_signs_the_digest() -> None:
    asked: list[bytes] = []

    def service(digest: bytes) -> bytes:
        asked.append(digest)
        return ed25519_key().sign(digest)

    der = ed25519_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    elsewhere = key(RemoteKey(public_key=der, sign=service), selector="s1-ed")
    assert elsewhere.sign(b"headers") == ed25519().sign(b"headers")
    assert elsewhere.record == ed25519().record
    assert asked == [sha256(b"headers").digest()]


def away(_asked: bytes) -> bytes:
    raise TimeoutError("no answer in 5 seconds")


@pytest.mark.parametrize(
    ("service", "says"),
    [
        (away, "TimeoutError: no answer in 5 seconds"),
        (lambda _: b"", "not PSS"),
        (lambda _: b"x" * 256, "not PSS"),
        (lambda _: None, "not PSS"),
        (lambda _: "x" * 256, "not PSS"),
        (rsa_service(Takes.MESSAGE), "takes the digest"),
    ],
)
def test_a_service_that_does_not_sign_is_our_error(service: Any, says: str) -> None:
    elsewhere = key(RemoteKey(public_key=public_pem(rsa_key()).decode(), sign=service))
    with pytest.raises(SigningError, match=says):
        elsewhere.sign(b"headers")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (lambda: {"public_key": b"-----BEGIN PUBLIC KEY-----", "sign": away}, "no public key can be read"),
        (lambda: {"public_key": b"", "sign": away}, "no public key can be read"),
        (lambda: {"public_key": pem(rsa_key()), "sign": away}, "no public key can be read"),
        (lambda: {"public_key": public_pem(ec.generate_private_key(ec.SECP256R1())), "sign": away}, "RSA or Ed25519"),
        (lambda: {"public_key": None, "sign": away}, "RSA or Ed25519"),
        (lambda: {"public_key": generate_private_key(65537, 1024).public_key(), "sign": away}, "1024 bits"),
        (lambda: {"public_key": rsa_key().public_key(), "sign": b"signature"}, "give a function"),
        (
            lambda: {"public_key": rsa_key().public_key(), "sign": away, "takes": "message"},
            "use Takes.DIGEST or Takes.MESSAGE",
        ),
        (
            lambda: {"public_key": ed25519_key().public_key(), "sign": away, "takes": Takes.MESSAGE},
            "use Takes.DIGEST",
        ),
    ],
)
def test_a_key_elsewhere_that_cannot_be_is_refused(fields: Callable[[], dict[str, Any]], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        RemoteKey(**fields())


# --- one key after the other ------------------------------------------------------------------------------------------

YEAR = timedelta(days=365)
DAY = timedelta(days=1)
OLD, NEW = key(SEED, selector="s2025"), key(SEED[::-1], selector="s2026")
PLAN = KeyPlan((PlannedKey(NEW, NOON), PlannedKey(OLD, NOON - YEAR)), keep=7 * DAY)
BOTH = {OLD.host: NOON - YEAR, NEW.host: NOON - 30 * DAY}


def test_a_key_signs_from_its_beginning_on() -> None:
    assert PLAN.signing(BOTH, NOON - YEAR - DAY) == ()
    assert PLAN.signing(BOTH, NOON - DAY) == (OLD,)
    assert PLAN.signing(BOTH, NOON) == (NEW,)


def test_a_key_signs_once_its_record_is_there() -> None:
    assert PLAN.signing({OLD.host: NOON}, NOON + DAY) == (OLD,)
    assert PLAN.signing({}, NOON + DAY) == ()


def test_the_record_of_a_key_stays_a_while_after_the_last_mail_it_signed() -> None:
    late = BOTH | {NEW.host: NOON + 30 * DAY}
    assert PLAN.standing(BOTH, NOON - YEAR) == (NEW.record, OLD.record)
    assert PLAN.retired(BOTH, NOON + 7 * DAY - timedelta(seconds=1)) == ()
    assert PLAN.retired(BOTH, NOON + 7 * DAY) == (OLD.record,)
    assert PLAN.standing(BOTH, NOON + 7 * DAY) == (NEW.record,)
    assert PLAN.retired(late, NOON + 36 * DAY) == ()
    assert PLAN.retired(late, NOON + 37 * DAY) == (OLD.record,)
    assert PLAN.retired({OLD.host: NOON}, NOON + YEAR) == ()


def test_each_domain_and_kind_has_its_own_keys() -> None:
    other = ed25519("other.example")
    plan = KeyPlan([PlannedKey(rsa(), NOON), PlannedKey(other, NOON - YEAR), PlannedKey(OLD, NOON)])
    published = {one.host: NOON for one in (rsa(), other, OLD)}
    assert plan.signing(published, NOON) == (rsa(), other, OLD)
    assert plan.retired(published, NOON + YEAR) == ()


def test_a_rotation_runs_by_what_the_dns_says() -> None:
    dns = {(OLD.host, "TXT"): [OLD.record.value]}
    published: dict[str, datetime] = {}
    used = []
    for day in range(-1, 12):
        at = NOON + day * DAY
        if day == 2:
            dns[NEW.host, "TXT"] = [NEW.record.value]
        away = {name: ResolveError("timed out") for name in dns}
        report = PLAN.verify(published, StaticResolver(away if day == 4 else dns), at)  # type: ignore[arg-type]  # TXT
        published = seen(report, at, published)
        used += [one.selector for one in PLAN.signing(published, at)]
        for record in PLAN.retired(published, at):
            dns.pop((record.name, "TXT"), None)
    assert used == ["s2025"] * 3 + ["s2026"] * 10
    assert list(dns) == [(NEW.host, "TXT")]
    assert published == {NEW.host: NOON + 2 * DAY}


def test_a_record_that_went_wrong_is_not_known_any_more() -> None:
    wrong = PLAN.verify(BOTH, StaticResolver({(OLD.host, "TXT"): ["v=DKIM1; p="]}), NOON)
    assert seen(wrong, NOON, BOTH) == {}


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["a.example", "b.example"])), unique=True, max_size=6),
    st.dictionaries(st.integers(0, 9), st.integers(0, 40), max_size=8),
    st.integers(0, 40),
)
def test_whatever_signs_has_a_record_that_must_stand(
    keys: list[tuple[int, str]], known: dict[int, int], day: int
) -> None:
    planned = [PlannedKey(ed25519(domain, f"s{begins}"), NOON + begins * DAY) for begins, domain in keys]
    plan = KeyPlan(planned, keep=3 * DAY)
    published = {
        one.key.host: NOON + known[begins] * DAY
        for (begins, _), one in zip(keys, planned, strict=True)
        if known.get(begins, day + 1) <= day
    }
    at = NOON + day * DAY
    signing, standing, retired = plan.signing(published, at), plan.standing(published, at), plan.retired(published, at)
    assert {*standing} | {*retired} == {one.key.record for one in planned}
    assert not {*standing} & {*retired}
    assert len({one.domain for one in signing}) == len(signing)
    for one in signing:
        assert one.host in published
        assert one.record in standing


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: KeyPlan((PlannedKey(OLD, NOON), PlannedKey(key(SEED, selector="s9"), NOON))), "let one begin later"),
        (lambda: KeyPlan((PlannedKey(OLD, NOON), PlannedKey(OLD, NOON - DAY))), "a selector of its own"),
        (lambda: KeyPlan(cast(Any, (OLD,))), "write PlannedKey"),
        (lambda: KeyPlan((PlannedKey(cast(Any, pem(rsa_key())), NOON),)), "planned key is bytes"),
        (lambda: KeyPlan((), keep=-DAY), "a span of time"),
        (lambda: KeyPlan((), keep=cast(Any, 7)), "a span of time"),
        (lambda: PlannedKey(OLD, datetime(2026, 1, 2)), "no time zone"),  # noqa: DTZ001  # that is the point
    ],
)
def test_a_plan_that_cannot_be_is_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()
