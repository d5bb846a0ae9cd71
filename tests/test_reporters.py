"""Providers that post reports, in one style: each is believed by its adapter, holds the contract, and is not forged."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from custom_smtp import FeedbackEndpoint
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.reporters import REPORTERS

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SAMPLES = Path(__file__).parent / "providers"

REPORT: dict[str, dict[str, Any]] = {
    "mailgun": {"event": "delivered", "id": "1", "recipient": "ada@example.net", "user-variables": {"csm_id": "d1"}},
    "mailjet": {"event": "sent", "MessageID": 7, "email": "ada@example.net", "CustomID": "d1"},
    "mandrill": {
        "event": "delivered",
        "_id": "1",
        "ts": 1767330001,
        "msg": {"email": "ada@example.net", "metadata": {"delivery_id": "d1"}},
    },
    "postmark": {"RecordType": "Delivery", "Recipient": "ada@example.net", "Metadata": {"delivery-id": "d1"}},
    "sendgrid": {"event": "delivered", "sg_event_id": "1", "email": "ada@example.net", "csm_id": "d1"},
    "sparkpost": {
        "msys": {
            "message_event": {
                "type": "delivery",
                "event_id": "1",
                "rcpt_to": "ada@example.net",
                "rcpt_meta": {"delivery-id": "d1"},
            }
        }
    },
}


@pytest.mark.parametrize("name", REPORTERS)
def test_each_is_believed_by_its_adapter_and_a_forged_one_is_not(name: str) -> None:
    reporter = REPORTERS[name]
    endpoint = FeedbackEndpoint(reporter.adapter)
    answer = endpoint.answer(reporter.request(REPORT[name], at=NOON))

    assert answer.response.status == 200
    [event] = answer.events
    assert (event.about.source, event.about.delivery_id, event.about.recipient) == (name, "d1", "ada@example.net")
    assert endpoint.answer(reporter.forged(REPORT[name], at=NOON)).response.status == 401


@pytest.mark.parametrize("name", sorted({*REPORTERS} - {"mandrill"}))
def test_each_holds_the_contract(name: str) -> None:
    reporter = REPORTERS[name]

    def prove(body: bytes) -> Any:
        return reporter.request(body, at=NOON)

    feedback_contract(
        reporter.adapter,
        [reporter.request(REPORT[name], at=NOON)],
        prove=prove,
        forge=lambda body: reporter.forged(body, at=NOON),
        proof_in_body=name == "mailgun",
    )


def test_mandrill_holds_the_contract_inside_its_form() -> None:
    reporter = REPORTERS["mandrill"]

    feedback_contract(
        reporter.adapter,
        [reporter.request([REPORT["mandrill"]], at=NOON)],
        prove=lambda body: reporter.request(body, at=NOON),
        forge=lambda body: reporter.forged(body, at=NOON),
        reports=lambda _: json.dumps([REPORT["mandrill"]]).encode(),
    )


@pytest.mark.parametrize("name", REPORTERS)
def test_the_samples_of_a_batch_are_read_alike_alone_and_together(name: str) -> None:
    reporter = REPORTERS[name]
    told = [
        report
        for path in sorted((SAMPLES / name).glob("*.json"))
        if path.stem not in ("old-forms", "old_forms")
        for report in _several(json.loads(path.read_text(encoding="utf-8")))
    ]
    together = reporter.adapter.read(reporter.request(told, at=NOON))
    alone = [event for one in told for event in reporter.adapter.read(reporter.request([one], at=NOON))]

    assert list(together) == alone
    assert len(alone) >= 3


def _several(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [told]


def test_no_secret_prints() -> None:
    assert "password" not in repr(REPORTERS)
