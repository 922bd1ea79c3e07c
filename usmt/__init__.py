"""usmt: one model for many ultrasound tasks, and which of them should be trained together.

These names are the public API. They are loaded when first used, so that `import usmt` costs
nothing and commands that only look around never import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usmt.data.geometry import OUTSIDE, Frame
    from usmt.data.image_file import read_image, read_mask
    from usmt.dataset import Dataset, DatasetOptions, Entry, Record, RootOptions, Submission
    from usmt.errors import DataError, Defect, Fault, UsmtError
    from usmt.evaluate.image_metric import ImageMetric
    from usmt.hookspecs import hookimpl
    from usmt.output import Output
    from usmt.plugins import Plugins, load_plugins
    from usmt.specs import Catalogue, load_catalogue
    from usmt.task_spec import GroupSpec, TaskSpec
    from usmt.task_type import Features, Measurement, Size, TaskType, TaskTypeOptions

_HOMES = {
    "OUTSIDE": "usmt.data.geometry",
    "Catalogue": "usmt.specs",
    "DataError": "usmt.errors",
    "Dataset": "usmt.dataset",
    "DatasetOptions": "usmt.dataset",
    "Defect": "usmt.errors",
    "Entry": "usmt.dataset",
    "Fault": "usmt.errors",
    "Features": "usmt.task_type",
    "Frame": "usmt.data.geometry",
    "GroupSpec": "usmt.task_spec",
    "ImageMetric": "usmt.evaluate.image_metric",
    "Measurement": "usmt.task_type",
    "Output": "usmt.output",
    "Plugins": "usmt.plugins",
    "Record": "usmt.dataset",
    "RootOptions": "usmt.dataset",
    "Size": "usmt.task_type",
    "Submission": "usmt.dataset",
    "TaskSpec": "usmt.task_spec",
    "TaskType": "usmt.task_type",
    "TaskTypeOptions": "usmt.task_type",
    "UsmtError": "usmt.errors",
    "hookimpl": "usmt.hookspecs",
    "load_catalogue": "usmt.specs",
    "load_plugins": "usmt.plugins",
    "read_image": "usmt.data.image_file",
    "read_mask": "usmt.data.image_file",
}

__all__ = [
    "OUTSIDE",
    "Catalogue",
    "DataError",
    "Dataset",
    "DatasetOptions",
    "Defect",
    "Entry",
    "Fault",
    "Features",
    "Frame",
    "GroupSpec",
    "ImageMetric",
    "Measurement",
    "Output",
    "Plugins",
    "Record",
    "RootOptions",
    "Size",
    "Submission",
    "TaskSpec",
    "TaskType",
    "TaskTypeOptions",
    "UsmtError",
    "hookimpl",
    "load_catalogue",
    "load_plugins",
    "read_image",
    "read_mask",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'usmt' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
