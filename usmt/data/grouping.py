"""Which records belong together: one source, the same pixels, or nearly the same image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from usmt.data.duplicates import near_duplicates
from usmt.data.scan import ScannedImage

Name = tuple[str, str]
"""(task, key) of a record."""

Origin = tuple[str, str]
"""(source_id, hash of the pixels) of a record; each may be empty, where it is not known."""


def related(origins: Mapping[Name, Origin]) -> DisjointSet:
    """The records, joined where they share a source or their pixels, whatever their tasks."""
    joined = DisjointSet(origins)
    first: dict[tuple[str, str], Name] = {}
    for name, (source_id, content) in origins.items():
        if source_id:
            joined.merge(first.setdefault(("source", source_id), name), name)
        if content:
            joined.merge(first.setdefault(("content", content), name), name)
    return joined


def group_records(
    origins: Mapping[Name, Origin], images: Mapping[Name, ScannedImage]
) -> dict[str, list[Name]]:
    """Groups of records by name; without images, grouped by source alone.

    A group's name comes from the names of its records, and not from their order.
    """
    joined = related(origins)
    # In the order of their pixels, so that near-duplicates do not depend on the records' order.
    distinct = {images[name].content: name for name in origins if name in images}
    names = [name for _, name in sorted(distinct.items())]
    if names:
        number = {root: i for i, root in enumerate({joined[name]: None for name in names})}
        thumbnails = np.stack([images[name].thumbnail for name in names])
        for i, j in near_duplicates(thumbnails, [number[joined[name]] for name in names]):
            joined.merge(names[i], names[j])
    groups = [sorted(subset) for subset in joined.subsets()]
    return {min(map(_digest, group)): group for group in groups}


def _digest(name: Name) -> str:
    return hashlib.sha256("\0".join(name).encode()).hexdigest()[:16]
