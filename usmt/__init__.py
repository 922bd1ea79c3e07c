"""usmt: one model for many ultrasound tasks, and which of them should be trained together.

These names are the public API. They are loaded when first used, so that `import usmt` costs
nothing and commands that only look around never import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usmt import metrics as metrics
    from usmt.backbone_family import (
        BackboneCard,
        BackboneFamily,
        Block,
        Encoder,
        check_image_size,
        spread_maps,
    )
    from usmt.data.folder_files import entries_of, files_below, path_below
    from usmt.data.geometry import OUTSIDE, Frame
    from usmt.data.image_file import (
        png_bytes,
        read_binary_mask,
        read_coloured_mask,
        read_image,
        read_mapped_mask,
        read_mask,
    )
    from usmt.data.named_files import NamedFiles
    from usmt.data.table import Table, TableRow, read_table
    from usmt.dataset import (
        Dataset,
        DatasetCard,
        DatasetLayout,
        DatasetOptions,
        Entry,
        Record,
        RootOptions,
        Side,
        Submission,
        fingerprint_files,
        root_folder,
    )
    from usmt.errors import (
        ConfigError,
        DataError,
        Defect,
        Fault,
        Faults,
        UsmtError,
        WeightsError,
        near,
    )
    from usmt.evaluate.image_metric import ImageMetric
    from usmt.evaluate.pooled_metric import PooledMetric
    from usmt.executor import Ended, Executor, ExecutorOptions, Job, usable_cores
    from usmt.hookspecs import API_VERSION, hookimpl
    from usmt.job_process import JobProcess
    from usmt.measurement import Measurement, MeasurementSpec, ellipse_circumference
    from usmt.output import Output
    from usmt.plugins import Plugins, load_plugins
    from usmt.predict.model import Model, load
    from usmt.specs import Catalogue, load_catalogue
    from usmt.task_spec import GroupSpec, Identifier, TaskSpec, check_names
    from usmt.task_type import Features, Size, TaskType, TaskTypeOptions
    from usmt.whole_file import write_bytes, write_csv

_HOMES = {
    "API_VERSION": "usmt.hookspecs",
    "OUTSIDE": "usmt.data.geometry",
    "BackboneCard": "usmt.backbone_family",
    "BackboneFamily": "usmt.backbone_family",
    "Block": "usmt.backbone_family",
    "Catalogue": "usmt.specs",
    "ConfigError": "usmt.errors",
    "DataError": "usmt.errors",
    "Dataset": "usmt.dataset",
    "DatasetCard": "usmt.dataset",
    "DatasetLayout": "usmt.dataset",
    "DatasetOptions": "usmt.dataset",
    "Defect": "usmt.errors",
    "Encoder": "usmt.backbone_family",
    "Ended": "usmt.executor",
    "Entry": "usmt.dataset",
    "Executor": "usmt.executor",
    "ExecutorOptions": "usmt.executor",
    "Fault": "usmt.errors",
    "Faults": "usmt.errors",
    "Features": "usmt.task_type",
    "Frame": "usmt.data.geometry",
    "GroupSpec": "usmt.task_spec",
    "Identifier": "usmt.task_spec",
    "ImageMetric": "usmt.evaluate.image_metric",
    "Job": "usmt.executor",
    "JobProcess": "usmt.job_process",
    "Measurement": "usmt.measurement",
    "MeasurementSpec": "usmt.measurement",
    "Model": "usmt.predict.model",
    "NamedFiles": "usmt.data.named_files",
    "Output": "usmt.output",
    "Plugins": "usmt.plugins",
    "PooledMetric": "usmt.evaluate.pooled_metric",
    "Record": "usmt.dataset",
    "RootOptions": "usmt.dataset",
    "Side": "usmt.dataset",
    "Size": "usmt.task_type",
    "Submission": "usmt.dataset",
    "Table": "usmt.data.table",
    "TableRow": "usmt.data.table",
    "TaskSpec": "usmt.task_spec",
    "TaskType": "usmt.task_type",
    "TaskTypeOptions": "usmt.task_type",
    "UsmtError": "usmt.errors",
    "WeightsError": "usmt.errors",
    "check_image_size": "usmt.backbone_family",
    "check_names": "usmt.task_spec",
    "ellipse_circumference": "usmt.measurement",
    "entries_of": "usmt.data.folder_files",
    "files_below": "usmt.data.folder_files",
    "fingerprint_files": "usmt.dataset",
    "hookimpl": "usmt.hookspecs",
    "load": "usmt.predict.model",
    "load_catalogue": "usmt.specs",
    "load_plugins": "usmt.plugins",
    "near": "usmt.errors",
    "path_below": "usmt.data.folder_files",
    "png_bytes": "usmt.data.image_file",
    "read_binary_mask": "usmt.data.image_file",
    "read_coloured_mask": "usmt.data.image_file",
    "read_image": "usmt.data.image_file",
    "read_mapped_mask": "usmt.data.image_file",
    "read_mask": "usmt.data.image_file",
    "read_table": "usmt.data.table",
    "root_folder": "usmt.dataset",
    "spread_maps": "usmt.backbone_family",
    "usable_cores": "usmt.executor",
    "write_bytes": "usmt.whole_file",
    "write_csv": "usmt.whole_file",
}

__all__ = [
    "API_VERSION",
    "OUTSIDE",
    "BackboneCard",
    "BackboneFamily",
    "Block",
    "Catalogue",
    "ConfigError",
    "DataError",
    "Dataset",
    "DatasetCard",
    "DatasetLayout",
    "DatasetOptions",
    "Defect",
    "Encoder",
    "Ended",
    "Entry",
    "Executor",
    "ExecutorOptions",
    "Fault",
    "Faults",
    "Features",
    "Frame",
    "GroupSpec",
    "Identifier",
    "ImageMetric",
    "Job",
    "JobProcess",
    "Measurement",
    "MeasurementSpec",
    "Model",
    "NamedFiles",
    "Output",
    "Plugins",
    "PooledMetric",
    "Record",
    "RootOptions",
    "Side",
    "Size",
    "Submission",
    "Table",
    "TableRow",
    "TaskSpec",
    "TaskType",
    "TaskTypeOptions",
    "UsmtError",
    "WeightsError",
    "check_image_size",
    "check_names",
    "ellipse_circumference",
    "entries_of",
    "files_below",
    "fingerprint_files",
    "hookimpl",
    "load",
    "load_catalogue",
    "load_plugins",
    "metrics",
    "near",
    "path_below",
    "png_bytes",
    "read_binary_mask",
    "read_coloured_mask",
    "read_image",
    "read_mapped_mask",
    "read_mask",
    "read_table",
    "root_folder",
    "spread_maps",
    "usable_cores",
    "write_bytes",
    "write_csv",
]


def __getattr__(name: str) -> Any:
    if name == "metrics":  # a module of its own
        return import_module("usmt.metrics")
    if name not in _HOMES:
        raise AttributeError(f"module 'usmt' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
