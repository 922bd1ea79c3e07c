"""From images to predictions, row by row: the step that scoring and predicting share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from usmt.model.network import Network


def predict_rows(
    network: Network, images: Tensor, task_index: Sequence[int], device: torch.device
) -> list[Any]:
    """One prediction a row, without its batch dimension, on the CPU.

    Args:
        images: (B, 3, h, w), values 0 to 255.
        task_index: each row's task, as its position in the network's.
    """
    outputs = network(network.normalise(images.to(device)), task_index)
    outputs = {task: tree_map(lambda tensor: tensor.cpu(), of) for task, of in outputs.items()}
    taken: Counter[str] = Counter()
    rows = []
    for index in task_index:
        task = network.task_ids[index]
        rows.append(tree_map(lambda tensor, row=taken[task]: tensor[row], outputs[task]))
        taken[task] += 1
    return rows
