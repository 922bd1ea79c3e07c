"""The near name of a key that is misspelt."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from usmt.mistakes import explain


class Layout(BaseModel):
    model_config = ConfigDict(extra="forbid")

    table: str = ""
    label: str = ""
    column: str = ""


@pytest.mark.parametrize(
    ("given", "meant"),
    [("lable", "label"), ("tabel", "table"), ("tables", "table"), ("colum", "column")],
)
def test_letters_that_changed_places_come_first(given: str, meant: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Layout.model_validate({given: "x"})
    ((key, message),) = explain(caught.value, Layout)
    assert key == given and f"(did you mean '{meant}'?)" in message
