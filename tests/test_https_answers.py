"""What comes of asking a host by HTTPS is an answer or a failure, never both and never neither."""

from datetime import datetime
from typing import Any

import pytest

from custom_smtp.errors import ConfigurationError
from custom_smtp.https_answers import HttpsAnswer, HttpsFailure


def test_an_answer_or_a_failure() -> None:
    assert HttpsAnswer(status=404).failure is None
    assert HttpsAnswer(failure=HttpsFailure.SILENT).status is None


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"status": 200, "failure": HttpsFailure.SILENT},
        {"status": 99},
        {"status": 600},
        {"status": "200"},
        {"status": 200, "certificate_ends": datetime(2026, 1, 1)},  # noqa: DTZ001 - what is tested
    ],
)
def test_anything_else_cannot_be(parts: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        HttpsAnswer(**parts)
