"""Routing statistics: hand-worked gates, merged processes, dead experts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from usmt.model.moe import MoE
from usmt.model.routing import RoutingRecorder

EVEN = torch.zeros(2)
FIRST = torch.tensor([40.0, 0.0])  # softmax (1, 0) to 1e-17


def record(recorder, tasks, rows, *, block=7, top_k=None):
    """rows: by image, by token, the logits of the experts."""
    logits = torch.stack([torch.stack(row) for row in rows])
    if top_k is None:
        gates, chosen = logits.softmax(-1), None
    else:
        strongest, chosen = logits.topk(top_k)
        gates = strongest.softmax(-1)
    recorder.record(block, torch.tensor(tasks), gates, logits, chosen)


def test_dense_by_hand():
    recorder = RoutingRecorder(["a", "b", "c"], [7], 2, sparse=False)
    record(recorder, [0, 2], [[FIRST, EVEN], [FIRST, FIRST]])
    record(recorder, [0], [[EVEN, EVEN]])
    report = recorder.report()
    # Task a: image 1 gives expert 1 (1 + 1/2) / 2 of its tokens, image 2 gives it 1/2.
    assert report.share[0, 0] == pytest.approx([0.625, 0.375])
    assert report.share[0, 2] == pytest.approx([1.0, 0.0])
    # Entropies over log 2: image 1 (0 + 1) / 2, image 2 1.
    assert report.entropy[0, 0] == pytest.approx(0.75)
    assert report.entropy[0, 2] == pytest.approx(0.0, abs=1e-9)
    assert report.images.tolist() == [2, 0, 1]
    assert np.isnan(report.share[0, 1]).all() and np.isnan(report.entropy[0, 1])
    assert report.assigned is None


def test_sparse_by_hand():
    recorder = RoutingRecorder(["a"], [7], 3, sparse=True)
    logits = torch.log(torch.tensor([0.6, 0.3, 0.1]))
    record(recorder, [0], [[logits, logits.flip(0)]], top_k=2)
    report = recorder.report()
    # Gates (2/3, 1/3, 0) and (0, 1/3, 2/3).
    assert report.share[0, 0] == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert report.assigned is not None
    assert report.assigned[0, 0] == pytest.approx([0.25, 0.5, 0.25])


def test_merged_processes_equal_one():
    images = [[FIRST, EVEN], [EVEN, EVEN], [FIRST, FIRST]]
    whole = RoutingRecorder(["a", "b"], [7], 2, sparse=False)
    record(whole, [0, 1, 0], images)
    parts = [RoutingRecorder(["a", "b"], [7], 2, sparse=False) for _ in range(3)]
    record(parts[0], [0], images[:1])
    record(parts[1], [1, 0], images[1:])
    for part in parts[1:]:  # the last one saw nothing
        parts[0].merge(part.state())
    assert np.allclose(parts[0].report().share, whole.report().share)
    assert np.allclose(parts[0].report().entropy, whole.report().entropy)
    assert parts[0].report().images.tolist() == [2, 1]


def test_dead_expert_is_named():
    recorder = RoutingRecorder(["a", "b", "unseen"], [7, 8], 2, sparse=False)
    record(recorder, [0, 1], [[FIRST], [FIRST]], block=7)
    record(recorder, [0, 1], [[FIRST], [EVEN]], block=8)  # task b still uses expert 2
    assert recorder.report().dead_experts() == ["expert 2 of block 7"]
    assert RoutingRecorder(["a"], [7], 2, sparse=False).report().dead_experts() == []


def test_json_has_no_nan():
    recorder = RoutingRecorder(["a", "b"], [7], 2, sparse=False)
    record(recorder, [0], [[EVEN]])
    plain = json.loads(json.dumps(recorder.report().as_dict(), allow_nan=False))
    assert plain["tasks"] == ["a", "b"] and plain["blocks"] == ["block 7"]
    assert plain["share"]["block 7"] == [[0.5, 0.5], [None, None]]
    assert plain["entropy"]["block 7"] == [pytest.approx(1.0), None]
    assert plain["images"] == [1, 0]


@pytest.mark.parametrize("top_k", [None, 2])
def test_a_network_records_while_it_is_told_to(make_network, images, top_k):
    network = make_network(MoE(top_k=top_k, blocks=2))
    assert network.routing_report() is None
    network.record_routing(True)
    with torch.inference_mode():
        network(images, [0, 0, 1, 1, 1, 2])
    network(images[:1], [0])
    network.record_routing(False)
    network(images, [0] * 6)
    report = network.routing_report()
    assert report.tasks == ("map_a", "pool_b", "map_c") and report.blocks == (11, 12)
    assert report.images.tolist() == [3, 3, 1]
    assert np.allclose(report.share.sum(-1), 1) and report.share.shape == (2, 3, 4)
    assert (report.entropy > 0).all() and (report.entropy < 1).all()
    assert not np.allclose(report.share[:, 0], report.share[:, 1], atol=1e-3)
    assert (report.assigned is None) == (top_k is None)
    network.record_routing(True)  # afresh
    assert network.routing_report().images.tolist() == [0, 0, 0]


def test_no_report_without_moe(make_network):
    network = make_network(None)
    network.record_routing(True)
    assert network.routing_report() is None
