"""A picture of images with truth and prediction beside each other, for every task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from matplotlib.figure import Figure

from usmt.data.collection import TaskData
from usmt.data.images import Images, read_record
from usmt.data.loader import EvaluationSamples, evaluation_batches
from usmt.dataset import Side
from usmt.evaluate.scoring import predict
from usmt.model.network import Network
from usmt.task_type_calls import drawn


def draw_gallery(
    path: Path,
    network: Network,
    tasks: Mapping[str, TaskData],
    side: Side,
    images: Images,
    device: torch.device,
    *,
    per_task: int = 2,
) -> None:
    """Writes a PNG: a row a task; image, truth and prediction of its first records (by key)."""
    figure = Figure(
        figsize=(2.0 * 3 * per_task + 0.4, 2.1 * len(tasks) + 0.4), layout="constrained"
    )
    grid = figure.subplots(len(tasks), 3 * per_task, squeeze=False)
    network.eval()
    for line, (name, task) in zip(grid, tasks.items(), strict=True):
        for axis in line:
            axis.axis("off")
        records = sorted(task.records[side], key=lambda record: record.key)[:per_task]
        if not records:
            continue
        samples = EvaluationSamples(images, [(name, record) for record in records])
        batch = next(evaluation_batches(samples, per_task, 0))
        with torch.inference_mode():
            results = predict(network, batch, tasks, device)
        for place, (record, result) in enumerate(zip(records, results, strict=True)):
            image, label = read_record(task, record)
            truth = drawn(task.type, task.spec, "draw_label", image, label)
            prediction = drawn(task.type, task.spec, "draw_result", image, result)
            pictures = {"image": image, "truth": truth, "prediction": prediction}
            for column, (title, picture) in enumerate(pictures.items()):
                axis = line[3 * place + column]
                axis.imshow(picture)
                axis.set_title(f"{name}\n{title}" if column == 0 else title, fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
