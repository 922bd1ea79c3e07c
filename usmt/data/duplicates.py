"""The same image twice: equal pixels, or nearly the same (re-encoded, brightened, cropped a bit).

Near-duplicates are looked for in two steps. A perceptual hash (the signs of low DCT frequencies,
after Zauner 2010, "Implementation and benchmarking of perceptual image hash functions") gives
candidates; small copies of both images are then compared tile by tile. Frames of one
scanner share their outline, whoever is scanned, so that a correlation over the whole image finds
all of them alike: what counts here is that the texture agrees in most of the tiles.

All sums are of whole numbers and exact, so that the answer is the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

THUMBNAIL = 64
HASH_DISTANCE = 12
"""Bits, of 64. On real scans nearly all copies cropped by 2 % differ in less."""

TILE = 8
REACH = 2
"""Thumbnail pixels by which a tile may have moved: what a crop of 3 % does."""
GRID = (THUMBNAIL - 2 * REACH) // TILE
MARGIN = (THUMBNAIL - GRID * TILE) // 2
TEXTURE = 0.25
"""Least variance, in grey levels squared, of a tile that can be compared."""
LIVELY = 0.5
"""Share of a textured tile's neighbours that differ, along rows and along columns alike, in a
lively tile. The outline of the scan and the haze below the probe, which all frames of a scanner
share, are textured and not lively."""
LEAST_TILES = 12
"""Fewer lively tiles prove nothing: dark frames are duplicates by equal pixels only."""
OVERLAP = 0.4
"""Least share of one image's textured tiles that are textured in the other as well."""
TILE_CORRELATION = 0.75
AGREEING = 0.75
"""Share of the tiles that must agree. On real scans nearly all copies have more, and images of
other patients 0.67 at most (docs/explanation/split.md)."""

_BLOCK = 1024
_CHUNK = 256


def content_hash(image: np.ndarray) -> str:
    """Hash of the pixels of a uint8 image (H, W) or (H, W, 3): the same for every file format, and
    for grey written as RGB."""
    pixels = as_grey(image)
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def as_grey(image: np.ndarray) -> np.ndarray:
    """(H, W) if the three channels of an image are equal, else the image as it is."""
    if image.ndim == 3 and (image == image[..., :1]).all():
        return image[..., 0]
    return image


def thumbnail(image: np.ndarray) -> np.ndarray:
    """The image's brightness, uint8 (64, 64), each pixel the mean of those that it covers."""
    from PIL import Image

    grey = Image.fromarray(as_grey(image)).convert("L")
    return np.array(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


def near_duplicates(thumbnails: np.ndarray, groups: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of thumbnails, uint8 (n, 64, 64), that show nearly the same image.

    Args:
        groups: (n,) what is known to belong together already; such pairs are not compared. Of
            several pairs that would join the same groups, not all are given.
    """
    known = np.array(groups)
    pairs = []
    blocks = [thumbnails[i : i + _BLOCK] for i in range(0, len(thumbnails), _BLOCK)]
    if not blocks:
        return []
    hashes = np.concatenate([perceptual_hashes(block) for block in blocks])
    tiles = np.concatenate([_lively_tiles(block).sum(axis=1) for block in blocks])
    for candidates in _candidates(hashes, tiles >= LEAST_TILES):
        for start in range(0, len(candidates), _CHUNK):
            chunk = candidates[start : start + _CHUNK]
            chunk = chunk[known[chunk[:, 0]] != known[chunk[:, 1]]]
            for i, j in chunk[_same(thumbnails[chunk[:, 0]], thumbnails[chunk[:, 1]])]:
                known[known == known[j]] = known[i]
                pairs.append((int(i), int(j)))
    return pairs


def perceptual_hashes(thumbnails: np.ndarray) -> np.ndarray:
    """(n, 64, 64) -> bool (n, 64): which of the 8 x 8 lowest frequencies are above their median."""
    n = len(thumbnails)
    half = thumbnails.reshape(n, 32, 2, 32, 2).sum(axis=(2, 4), dtype=np.float64)
    phase = np.pi * np.outer(np.arange(8), 2 * np.arange(32) + 1) / 64
    # Whole numbers in float64 are exact here (below 2^53), and fast to multiply.
    basis = np.rint(1024 * np.cos(phase))
    spectra = (basis @ half @ basis.T).reshape(n, 64)
    return spectra > np.median(spectra[:, 1:], axis=1, keepdims=True)


def _candidates(hashes: np.ndarray, lively: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks of pairs (m, 2), i < j, of lively images with near hashes."""
    chosen = np.flatnonzero(lively)
    # The product of two rows of +-1 is 64 - 2 x distance: one matrix product compares them all.
    signs = np.where(hashes[chosen], 1, -1).astype(np.float32)
    for start in range(0, len(chosen), _BLOCK):
        products = signs[start : start + _BLOCK] @ signs[start:].T
        i, j = np.nonzero(products >= 64 - 2 * HASH_DISTANCE)
        later = i < j
        yield np.stack([chosen[start + i[later]], chosen[start + j[later]]], axis=1)


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether the pairs of thumbnails (m, 64, 64) show the same image: bool (m,)."""
    textured_a, textured_b = _textured_tiles(a), _textured_tiles(b)
    compared = textured_a & textured_b
    either = np.maximum(textured_a.sum(axis=1), textured_b.sum(axis=1))
    # A dark frame has little more than the scanner's overlay, which every frame has.
    same = (_lively_tiles(a) & _lively_tiles(b)).sum(axis=1) >= LEAST_TILES
    same &= compared.sum(axis=1) >= OVERLAP * either
    # A few tiles tell most pairs apart.
    for tiles, share in ((range(0, GRID**2, 4), AGREEING / 2), (range(GRID**2), AGREEING)):
        rows = np.flatnonzero(same)
        agree = _agreeing_tiles(a[rows], b[rows], tiles) & compared[rows][:, tiles]
        same[rows] = agree.sum(axis=1) >= share * compared[rows][:, tiles].sum(axis=1)
    return same


def _agreeing_tiles(a: np.ndarray, b: np.ndarray, tiles: Sequence[int]) -> np.ndarray:
    """Whether each tile of `a` (m, 64, 64) is found in `b`, at most REACH away: bool (m, tiles)."""
    a, b = a.astype(np.float32), b.astype(np.float32)  # exact: sums stay below 2^24
    found = np.empty((len(a), len(tiles)), bool)
    pixels = TILE * TILE
    for column, tile in enumerate(tiles):
        y, x = MARGIN + TILE * (tile // GRID), MARGIN + TILE * (tile % GRID)
        one = a[:, y : y + TILE, x : x + TILE].reshape(-1, pixels, 1)
        area = b[:, y - REACH : y + TILE + REACH, x - REACH : x + TILE + REACH]
        many = np.lib.stride_tricks.sliding_window_view(area, (TILE, TILE), axis=(1, 2))
        many = many.reshape(-1, (2 * REACH + 1) ** 2, pixels)
        sum_one, sum_many = _sum(one, axis=1), _sum(many, axis=2)
        covariance = pixels * (many @ one)[..., 0].astype(np.float64) - sum_one * sum_many
        variance_one = pixels * _sum(one * one, axis=1) - sum_one**2
        variance_many = pixels * _sum(many * many, axis=2) - sum_many**2
        bound = TILE_CORRELATION * np.sqrt(variance_one * variance_many)
        found[:, column] = ((covariance >= bound) & (variance_many > 0)).any(axis=1)
    return found


def _lively_tiles(thumbnails: np.ndarray) -> np.ndarray:
    """bool (n, tiles)"""
    tiles = _tiles(thumbnails)
    along = (tiles[..., 1:] != tiles[..., :-1]).sum(axis=(2, 4))
    across = (tiles[:, :, 1:] != tiles[:, :, :-1]).sum(axis=(2, 4))
    lively = np.minimum(along, across) >= LIVELY * TILE * (TILE - 1)
    return lively.reshape(-1, GRID**2) & _textured_tiles(thumbnails)


def _textured_tiles(thumbnails: np.ndarray) -> np.ndarray:
    """bool (n, tiles)"""
    tiles = _tiles(thumbnails)
    total = tiles.sum(axis=(2, 4), dtype=np.int64)
    squares = np.square(tiles, dtype=np.int64).sum(axis=(2, 4))
    variance = (TILE * TILE * squares - total**2) / TILE**4
    return (variance >= TEXTURE).reshape(-1, GRID**2)


def _tiles(thumbnails: np.ndarray) -> np.ndarray:
    """(n, tile row, y, tile column, x)"""
    end = MARGIN + GRID * TILE
    return thumbnails[:, MARGIN:end, MARGIN:end].reshape(-1, GRID, TILE, GRID, TILE)


def _sum(values: np.ndarray, axis: int) -> np.ndarray:
    return values.sum(axis=axis, dtype=np.float64)
