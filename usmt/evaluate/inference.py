"""From images to predictions, row by row: the step that scoring and predicting share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from usmt.model.network import Network
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType
from usmt.task_type_calls import check_prediction


def predict_rows(
    network: Network,
    images: Tensor,
    task_index: Sequence[int],
    tasks: Mapping[str, tuple[TaskType, TaskSpec]],
    device: torch.device,
) -> list[Any]:
    """One prediction a row, without its batch dimension, on the CPU; what a network computed in
    bfloat16 in float32, for numpy has no other.

    Args:
        images: (B, 3, h, w), values 0 to 255.
        task_index: each row's task, as its position in the network's.
        tasks: by id, those of the rows at least.

    Raises PluginError for a head that gives no row for each image.
    """
    outputs = network(network.normalise(images.to(device)), task_index)
    rows_of = Counter(network.task_ids[index] for index in task_index)
    for task, output in outputs.items():
        check_prediction(*tasks[task], output, rows_of[task])
    outputs = {task: tree_map(_on_cpu, of) for task, of in outputs.items()}
    taken: Counter[str] = Counter()
    rows = []
    for index in task_index:
        task = network.task_ids[index]
        rows.append(tree_map(lambda tensor, row=taken[task]: tensor[row], outputs[task]))
        taken[task] += 1
    return rows


def _on_cpu(tensor: Tensor) -> Tensor:
    return tensor.to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype)
