"""A trained network that predicts: `usmt.load`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors

from usmt import task_type_calls
from usmt.data.geometry import Frame, fit
from usmt.data.image_file import read_image
from usmt.data.images import as_rgb
from usmt.errors import ConfigError, DataError, UsmtError, near
from usmt.evaluate.inference import predict_rows
from usmt.measurement import Measurement
from usmt.model.network import Network
from usmt.plugins import Plugins, load_plugins_of_run
from usmt.predict.views import View, views_of
from usmt.task_spec import TaskSpec
from usmt.task_type import Size, TaskType
from usmt.train.checkpoint import MANIFEST, sha256
from usmt.train.finished import load_network, read_specs
from usmt.train.run_folder import RunFolder
from usmt.train.setup import make_types

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image at the network's size: uint8 (3, h, w), and the way back to its original pixels."""

    task: str
    image: Tensor
    frame: Frame


class Model:
    """A trained network with its tasks; made by `usmt.load`.

    Attributes:
        tasks: the specs of the tasks that it knows, by id.
        types: the task types of its tasks, by name.
        size: (h, w) of the network's input.
        fingerprint: of the weights and of everything else that changes what is predicted.
    """

    def __init__(
        self,
        network: Network,
        specs: Sequence[TaskSpec],
        types: Mapping[str, TaskType],
        size: Size,
        *,
        device: torch.device,
        precision: Literal["fp32", "bf16"],
        weights: str,
    ) -> None:
        self.tasks = {spec.id: spec for spec in specs}
        self.types = types
        self.size = size
        self.device = device
        self.precision = precision
        self.fingerprint = hashlib.sha256(repr((weights, size, precision)).encode()).hexdigest()
        self._network = network.to(device).eval()
        self._asked = {name: (types[spec.type], spec) for name, spec in self.tasks.items()}
        self._index = {name: index for index, name in enumerate(network.task_ids)}

    def __repr__(self) -> str:
        return f"<usmt model of {', '.join(self.tasks)} on {self.device}>"

    def spec(self, task: str | None = None) -> TaskSpec:
        """The spec of a task; without a name, of the only one. Raises ConfigError."""
        if task is None and len(self.tasks) == 1:
            return next(iter(self.tasks.values()))
        if task is None or task not in self.tasks:
            said = "several tasks" if task is None else f"no task '{task}'{near(task, self.tasks)}"
            hint = f"name one (--task); its tasks: {', '.join(self.tasks)}"
            raise ConfigError(f"the model has {said}", hint=hint)
        return self.tasks[task]

    def type_of(self, task: str) -> TaskType:
        """The task type of one of its tasks."""
        return self.types[self.spec(task).type]

    def predict(
        self, image: str | Path | np.ndarray, task: str | None = None, *, tta: bool = False
    ) -> Any:
        """The result for one image, in its original pixels.

        Args:
            image: a file (PNG, JPEG, TIFF, BMP, ...), or uint8 (H, W) grey or (H, W, 3) RGB.
            task: may be left out of a model with one task.
            tta: also look at the image mirrored, where the task's `flip` allows it, and join.

        Returns:
            The result type of the task's type, e.g. `Segmentation` with `mask` (H, W).

        Raises:
            DataError: the image cannot be read, or is no such array.
            ConfigError: the model has no such task.
        """
        pixels = read_image(Path(image)) if isinstance(image, str | Path) else image
        return self.predict_prepared([self.prepare(pixels, self.spec(task).id)], tta=tta)[0]

    def prepare(self, image: np.ndarray, task: str) -> PreparedImage:
        """Fits an image, uint8 (H, W) or (H, W, 3), into the network's input. Raises DataError."""
        if not _is_image(image):
            what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image)
            raise DataError(f"an image of {what}, expected uint8 (H, W) or (H, W, 3) RGB")
        frame = Frame.fit((image.shape[0], image.shape[1]), self.size)
        pixels = torch.from_numpy(np.ascontiguousarray(as_rgb(image))).permute(2, 0, 1)
        return PreparedImage(task, fit(tv_tensors.Image(pixels), frame).as_subclass(Tensor), frame)

    def predict_prepared(self, images: Sequence[PreparedImage], *, tta: bool = False) -> list[Any]:
        """The results for a batch, which may mix tasks. Raises UsmtError if it is too large for the
        device."""
        looks = [
            views_of(one.image, one.frame, self.tasks[one.task].flip if tta else "none")
            for one in images
        ]
        batch = torch.stack([view.image for views in looks for view in views])
        names = [one.task for one, views in zip(images, looks, strict=True) for _ in views]
        indices = [self._index[name] for name in names]
        try:
            with torch.inference_mode(), self._precision():
                rows = predict_rows(self._network, batch, indices, self._asked, self.device)
        except torch.OutOfMemoryError:
            raise UsmtError(
                f"{self.device} has no memory for {len(batch)} images at once",
                hint="Give a smaller --batch-size.",
            ) from None
        predictions = iter(rows)
        return [
            self._decode(one.task, [(next(predictions), view) for view in views])
            for one, views in zip(images, looks, strict=True)
        ]

    def _decode(self, task: str, seen: Sequence[tuple[Any, View]]) -> Any:
        spec, task_type = self.tasks[task], self.type_of(task)
        if len(seen) == 1:
            prediction, view = seen[0]
            return task_type_calls.decoded(task_type, spec, prediction, view.frame)
        views = [(prediction, view.frame) for prediction, view in seen]
        return task_type_calls.decoded_views(task_type, spec, views)

    def draw(self, image: np.ndarray, result: Any, task: str | None = None) -> np.ndarray:
        """The image, uint8, with a result drawn on it: a new array (H, W, 3) RGB."""
        spec = self.spec(task)
        task_type = self.type_of(spec.id)
        return task_type_calls.drawn(task_type, spec, "draw_result", as_rgb(image), result)

    def measure(
        self, result: Any, task: str | None = None, *, pixel_size: float | tuple[float, float] = 1.0
    ) -> dict[str, Measurement]:
        """The measurements that the task's spec declares.

        Args:
            pixel_size: of a pixel, in mm, or (width, height); 1 measures in pixels.
        """
        spec = self.spec(task)
        both = pixel_size if isinstance(pixel_size, tuple) else (pixel_size, pixel_size)
        return task_type_calls.measured(self.type_of(spec.id), spec, result, both)

    @contextmanager
    def _precision(self) -> Iterator[None]:
        if self.precision == "fp32":
            yield
            return
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            yield


def load(
    path: str | Path,
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    plugins: Plugins | None = None,
) -> Model:
    """The model of a run: its best weights, with the tasks that it was trained for.

    Args:
        path: the run's folder, or one checkpoint in it (`best/`, `last/`).
        device: `auto` takes a CUDA device if there is one.
        precision: `auto` computes in bf16 on CUDA devices that have it, else in fp32.
        plugins: those that give the task types and the backbone; by default all that are found,
            with the loose ones that the run names.

    Raises:
        CheckpointError: there is no run, or its checkpoint is damaged.
        PluginError: a task type or a family of backbones that the run needs is not there.
    """
    folder = RunFolder.of(Path(path))
    checkpoint = folder.best if folder.path == Path(path) else Path(path)
    settings = folder.settings()
    if plugins is None:
        plugins = load_plugins_of_run(settings.plugins_dirs)
    specs = read_specs(folder, plugins)
    types = make_types(specs, plugins, settings.task_types)
    chosen = _device(device)
    return Model(
        load_network(checkpoint, settings, specs, types, plugins),
        specs,
        types,
        (settings.image_size, settings.image_size),
        device=chosen,
        precision=_arithmetic(precision, chosen),
        weights=sha256(checkpoint / MANIFEST),
    )


def _device(name: Device) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device: cuda was asked for, but torch finds no CUDA device",
            hint="--device cpu predicts on the processor",
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _arithmetic(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    if precision != "auto":
        return precision
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def _is_image(image: object) -> bool:
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.size > 0
        and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3))
    )
