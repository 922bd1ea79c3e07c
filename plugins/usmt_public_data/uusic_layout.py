"""What a spec's `layout` says of a dataset in the universal-ultrasound layout."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from usmt import DatasetLayout


def _one_group(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"'{text}' is not a regular expression: {error}") from None
    if groups != 1:
        raise ValueError(f"'{text}' has {groups} groups, expected one: (...) around the patient")
    return text


class UusicLayout(DatasetLayout):
    """Which of the datasets in the root is the task's."""

    folder: str = Field(
        pattern=r"^[^./\\][^/\\]*$",
        description="the dataset's folder below classification or segmentation",
    )
    merge: bool = Field(
        default=False,
        description="all structures of the masks are one class, as the challenge scores them",
    )
    source: Annotated[str, AfterValidator(_one_group)] | None = Field(
        default=None,
        description="a regular expression on an image's name, whose group names the patient or "
        "video; without it each image is a source of its own",
    )

    def source_in(self, name: str) -> str | None:
        """What the group of `source` holds, found anywhere in the name of an image; None where it
        is not found."""
        found = re.search(self.source or "", name)
        return found[1] or None if found and self.source else None
