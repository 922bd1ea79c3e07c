"""Every setting of a run: what it is, its range and its default.

Only this module and `setup` know the whole; modules of the network, samplers and so on take plain
values. Where the values come from: `load_settings`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from usmt.task_spec import Identifier

Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, le=10)]
Share = Annotated[float, Field(ge=0, le=0.5)]


class Settings(BaseModel):
    """Base of all groups of settings: frozen, unknown keys are errors, numbers are finite."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False
    )


class SplitSettings(Settings):
    """Shares of the frozen split; a dataset's own official split comes first."""

    val: Share = Field(0.2, description="share of the training part that validates")
    test: Share = Field(0.2, description="share of all that is kept for the test")
    seed: int = Field(0, ge=0, description="seed of the split, apart from the run's seed")
    fraction: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="share of the training images that are trained on; smaller ones are part of "
        "larger ones",
    )
    files: dict[Identifier, Path] = Field(
        default={},
        description="dataset name -> file of `usmt data split`, used in place of a drawn split",
    )


class BackboneSettings(Settings):
    name: str = Field(min_length=1, description="NAME, or FAMILY:NAME: see `usmt backbones list`")
    weights: str = Field(description="pretrained, none, or a .safetensors or .pth file")
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    checkpointing: bool = Field(False, description="recompute activations to save memory")


class MoESettings(Settings):
    enabled: Literal["auto", "on", "off"] = Field(
        "auto", description="auto: on for several tasks, off for one (paper, 2.3)"
    )
    experts: int = Field(4, ge=2)
    blocks: int | None = Field(
        None,
        ge=1,
        description="how many of the last blocks; null: 6 (paper), or all where there are fewer",
    )
    top_k: int | None = Field(None, ge=1, description="experts a token; null: all (paper)")
    hidden_ratio: float | None = Field(
        None,
        gt=0,
        description="width of an expert's hidden layer over the tokens'; null: the pretrained "
        "Mlp's, of which the experts are then copies; behind blocks without an Mlp it goes by the "
        "block's size",
    )
    task_width: int = Field(64, ge=1, description="width of the task embedding")
    balance_weight: float = Field(0.0, ge=0, description="weight of the load-balance loss")


class AugmentSettings(Settings):
    """Ranges of the random changes; the same for every task type. 0 turns one off."""

    degrees: float = Field(10.0, ge=0, le=180, description="rotation, up to")
    scale: float = Field(0.1, ge=0, lt=1, description="zoom by 1 - s to 1 + s")
    shift: float = Field(0.05, ge=0, lt=1, description="shift, share of the canvas")
    flip: float = Field(0.5, ge=0, le=1, description="probability of each flip a task allows")
    gain: float = Field(0.2, ge=0, lt=1, description="brightness factor 1 - g to 1 + g")
    gamma: float = Field(0.25, ge=0, lt=1, description="exponent 1 - g to 1 + g")
    speckle: float = Field(0.1, ge=0, le=1, description="multiplicative noise, standard deviation")
    shadow: float = Field(0.2, ge=0, le=1, description="probability of an acoustic shadow")


class SamplerSettings(Settings):
    kind: Literal["proportional", "uniform", "temperature"] = "proportional"
    temperature: float = Field(2.0, ge=1, description="of `temperature`: share ~ size^(1/t)")
    images_per_epoch: int | None = Field(
        None,
        ge=1,
        description="images drawn in an epoch, over all tasks; null: as many as there are",
    )


class LearningRates(Settings):
    """One rate a parameter group (paper, section 3)."""

    backbone: Rate
    moe: Rate
    decoder: Rate
    head: Rate
    other: Rate = Field(description="of a group without a rate of its own; none at present")


class OptimizerSettings(Settings):
    learning_rate: LearningRates
    weight_decay: float = Field(1e-4, ge=0, le=10)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="share of all steps")
    clip: Positive | None = Field(None, description="largest norm of the gradient; null: no limit")


class CacheSettings(Settings):
    """Where prepared images are kept: decoded, and fitted to the network's size."""

    memory_mb: int = Field(
        1024,
        ge=0,
        description="memory for prepared images, megabytes a process; of use with workers: 0, as "
        "other processes end with the epoch",
    )
    disk_mb: int = Field(
        8192,
        ge=0,
        description="room on disk for prepared images, megabytes for all runs together; 0: none",
    )
    folder: Path | None = Field(
        None, description="where on disk; null: USMT_CACHE, else ~/.cache/usmt"
    )


class RunSettings(Settings):
    """All settings of one training run."""

    group: Identifier | None = None
    tasks: list[Identifier] = Field(default=[], description="task ids, besides those of the group")
    data: dict[Identifier, dict[str, Any]] = Field(
        default={}, description="dataset name -> its options, e.g. {NAME: {root: DIR}}"
    )
    specs: list[Path] = Field(default=[], description="folders with the user's tasks and groups")
    plugins_dirs: list[Path] = Field(default=[], description="folders with loose plugins")
    skip_bad: bool = Field(False, description="train without the records that have defects")
    split: SplitSettings = SplitSettings()
    seed: int = Field(0, ge=0)

    image_size: int = Field(
        ge=32,
        le=2048,
        description="side of the network's input, pixels; a multiple of the backbone's patch size "
        "or largest stride",
    )
    backbone: BackboneSettings
    moe: MoESettings = MoESettings()
    task_types: dict[Identifier, dict[str, Any]] = Field(
        default={}, description="task type -> its options, e.g. {NAME: {...}}"
    )
    task_weights: dict[Identifier, Annotated[float, Field(ge=0)]] = Field(
        default={}, description="lambda_t of the task's loss; 1 where not given (paper)"
    )

    epochs: int = Field(ge=1)
    batch_size: int = Field(16, ge=1, description="images an optimizer step, over all processes")
    accumulate: int = Field(1, ge=1, description="pieces a batch is cut into, to save memory")
    sampler: SamplerSettings = SamplerSettings()
    augment: AugmentSettings = AugmentSettings()
    optimizer: OptimizerSettings

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    workers: int = Field(0, ge=0, description="processes that load images; 0: this one")
    cache: CacheSettings = CacheSettings()

    def with_folders(self, specs: Sequence[Path], plugins_dirs: Sequence[Path]) -> RunSettings:
        """With all folders that the run reads, wherever they were named, as absolute paths: so
        that it can be repeated from another place."""
        weights = self.backbone.weights
        if weights not in ("pretrained", "none"):
            weights = str(Path(weights).expanduser().resolve())
        backbone = self.backbone.model_copy(update={"weights": weights})
        cache = self.cache
        if cache.folder is not None:
            cache = cache.model_copy(update={"folder": cache.folder.expanduser().resolve()})
        files = {name: file.expanduser().resolve() for name, file in self.split.files.items()}
        split = self.split.model_copy(update={"files": files})
        folders = {"specs": list(specs), "plugins_dirs": list(plugins_dirs), "split": split}
        return self.model_copy(update={**folders, "backbone": backbone, "cache": cache})

    def as_built(self, backbone: str, moe_blocks: int | None) -> RunSettings:
        """With what names and defaults came to in the run's network: so that it stays the same
        network when other plugins are installed, or defaults change.

        Args:
            backbone: `FAMILY:NAME`.
            moe_blocks: how many blocks have experts; None without MoE.
        """
        of_moe = {} if moe_blocks is None else {"blocks": moe_blocks}
        return self.model_copy(
            update={
                "backbone": self.backbone.model_copy(update={"name": backbone}),
                "moe": self.moe.model_copy(update=of_moe),
            }
        )

    def with_split_files(self, files: Mapping[str, Path]) -> RunSettings:
        """With files of splits, by dataset name, beside those that there are."""
        split = self.split.model_copy(update={"files": {**self.split.files, **files}})
        return self.model_copy(update={"split": split})

    @model_validator(mode="after")
    def _something_to_train(self) -> RunSettings:
        if self.group is None and not self.tasks:
            raise ValueError("no task to train: give --group or --task")
        return self
