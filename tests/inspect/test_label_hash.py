"""Equal labels have one hash, whatever they are made of."""

from __future__ import annotations

from usmt.inspect.label_hash import label_hash


def test_sets_are_equal_in_whatever_order_they_were_filled():
    names = [f"finding {number}" for number in (0, 8, 16, 24, 32, 40)]
    assert label_hash(frozenset(names)) == label_hash(frozenset(reversed(names)))
    colliding = {0, 8}, {8, 0}  # Python writes these in the order in which they were filled
    assert repr(colliding[0]) != repr(colliding[1])
    assert label_hash(colliding[0]) == label_hash(colliding[1])
    assert label_hash(frozenset(names)) != label_hash(frozenset(names[1:]))
    assert label_hash({1}) != label_hash({2})
