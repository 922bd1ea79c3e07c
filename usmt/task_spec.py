"""The fields that every task and every group has; task types add their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails

from usmt.errors import near

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Flip = Literal["none", "horizontal", "vertical", "both"]
Published = Annotated[float, Field(allow_inf_nan=False)]
"""A number that a paper gives."""


class TaskSpec(BaseModel):
    """One prediction problem on one kind of image, as written in `tasks/ID.yaml`.

    A task type subclasses this once, adds its own fields, and names the subclass `Spec`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    id: Identifier
    title: str = Field(min_length=1)
    type: Identifier = Field(description="name of the task type")
    organ: str = Field(min_length=1)
    dataset: Identifier = Field(description="name of the dataset plugin that holds the images")
    images: int | None = Field(default=None, ge=1, description="published number of images")
    flip: Flip = Field(description="which flips keep the label true")
    citation: str = ""
    layout: dict[str, Any] = Field(
        default={}, description="what the dataset must know of its files for this task"
    )
    published: dict[Identifier, dict[Identifier, Published]] = Field(
        default={}, description="published scores: arm (ts, cg, au) -> metric -> score"
    )


class GroupSpec(BaseModel):
    """A declarative list of tasks, as written in `groups/ID.yaml`.

    `tasks` lists task ids, or is the word `all`: every task that is known.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    id: Identifier
    title: str = Field(min_length=1)
    images: int | None = Field(default=None, ge=1, description="published number of images")
    published: dict[Identifier, Published] = Field(
        default={}, description="published mean change from ts: arm (cg, au) -> change"
    )
    tasks: list[Identifier] | Literal["all"] = Field(min_length=1)


def check_names(
    kind: str, named: Iterable[tuple[Sequence[str | int], str]], known: Sequence[str]
) -> None:
    """For the validators of a task type's own fields: names that stand for something must be
    known. Raises what pydantic makes errors of, each with its place and the near name.

    Args:
        kind: what the names are of, e.g. `point`.
        named: key paths below the field, and the names that stand there.
    """
    unknown: list[InitErrorDetails] = [
        {
            "type": "value_error",
            "loc": tuple(path),
            "input": name,
            "ctx": {"error": ValueError(f"there is no {kind} '{name}'{near(name, known)}")},
        }
        for path, name in named
        if name not in known
    ]
    if unknown:
        raise ValidationError.from_exception_data("names", unknown)
