"""The same image is found again, in another file, re-encoded or cropped; other images are not."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw
from scipy.cluster.hierarchy import DisjointSet
from scipy.ndimage import gaussian_filter

from usmt import Record, RootOptions, read_image
from usmt.data import duplicates
from usmt.data.duplicates import as_grey, content_hash, near_duplicates, thumbnail
from usmt.data.grouping import group_records
from usmt.data.scan import ScannedImage
from usmt_fmc_uia import FmcUia

GREYS = arrays(
    np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.integers(0, 3)
)


@dataclass(frozen=True)
class Pack:
    """Records with their pixels."""

    records: Sequence[Record]
    pixels: Sequence[np.ndarray]

    @cached_property
    def thumbnails(self) -> np.ndarray:
        return np.stack([thumbnail(image) for image in self.pixels])

    @cached_property
    def images(self) -> dict[tuple[str, str], ScannedImage]:
        return {
            (r.task, r.key): ScannedImage(image.shape[:2], content_hash(image), small)
            for r, image, small in zip(self.records, self.pixels, self.thumbnails, strict=True)
        }

    def origins(self, *, sources: bool) -> dict[tuple[str, str], tuple[str, str]]:
        """What the records are grouped by; without sources, each record is its own."""
        return {
            (r.task, r.key): (
                r.source_id if sources else f"{r.task}/{r.key}",
                self.images[r.task, r.key].content,
            )
            for r in self.records
        }


@pytest.fixture(scope="module")
def pack(realus: Path) -> Pack:
    """All images of the real pack, of all its tasks."""
    data = FmcUia(RootOptions(root=realus))
    records = data.all_records([])
    return Pack(records, [data.read_image(record) for record in records])


@pytest.fixture(scope="module")
def some(pack: Pack) -> Pack:
    """Every fourth image of the pack."""
    return Pack(pack.records[::4], pack.pixels[::4])


def joined(thumbnails: np.ndarray) -> DisjointSet:
    """Numbers of thumbnails, joined where they are nearly the same image."""
    found = DisjointSet(range(len(thumbnails)))
    for i, j in near_duplicates(thumbnails, range(len(thumbnails))):
        found.merge(i, j)
    return found


# -- equal pixels


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
@pytest.mark.parametrize("colour", ["L", "RGB"])
def test_equal_pixels_have_one_hash_in_every_format(pack, tmp_path, form, colour):
    image = pack.pixels[0]
    file = tmp_path / f"image.{form.lower()}"
    options = {"lossless": True} if form == "WEBP" else {}
    Image.fromarray(image).convert(colour).save(file, format=form, **options)
    assert content_hash(read_image(file)) == content_hash(image)


def test_equal_pixels_have_one_hash_in_16_bits_and_with_a_palette(pack, tmp_path):
    image = pack.pixels[0]
    Image.fromarray(image.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    palette = Image.fromarray(image)
    palette.putpalette([level for level in range(256) for _ in range(3)])
    palette.save(tmp_path / "palette.png")
    for name in ("deep.png", "palette.png"):
        assert content_hash(read_image(tmp_path / name)) == content_hash(image)


@given(a=GREYS, b=GREYS, coloured=st.booleans())
def test_the_hash_tells_images_apart(a, b, coloured):
    same = a.shape == b.shape and bool((a == b).all())
    stored = np.stack([b] * 3, axis=-1) if coloured else b
    assert (content_hash(a) == content_hash(stored)) == same


def test_colour_counts():
    grey = np.full((3, 5), 100, np.uint8)
    tinted = np.stack([grey, grey, grey + 1], axis=-1)
    assert content_hash(tinted) != content_hash(grey)
    assert as_grey(tinted).shape == (3, 5, 3)
    assert as_grey(np.stack([grey] * 3, axis=-1)).shape == (3, 5)
    assert content_hash(np.ascontiguousarray(grey.T)) != content_hash(grey)


def test_images_of_the_pack_all_differ(pack):
    assert len({content_hash(image) for image in pack.pixels}) == len(pack.pixels) > 1000


def test_thumbnails_are_of_brightness(pack):
    image = pack.pixels[5]
    small = thumbnail(image)
    assert (small.shape, small.dtype) == ((64, 64), np.uint8)
    assert abs(float(small.mean()) - float(image.mean())) < 1
    np.testing.assert_array_equal(thumbnail(np.stack([image] * 3, axis=-1)), small)
    np.testing.assert_array_equal(thumbnail(image[:1, :1]), np.full((64, 64), image[0, 0]))


# -- nearly the same

Change = Callable[[np.ndarray], np.ndarray]


def jpeg(quality: int) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(image).save(file, format="JPEG", quality=quality)
        return np.array(Image.open(file))

    return change


def levels(factor: float, offset: float = 0) -> Change:
    return lambda image: np.clip(np.rint(image.astype(float) * factor + offset), 0, 255).astype(
        np.uint8
    )


def cropped(share: float, *, corner: bool = False) -> Change:
    """Without `share` of the height and the width: at one corner, or half of it at each edge."""

    def change(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        y, x = round(height * share), round(width * share)
        if corner:
            return image[y:, x:]
        return image[y // 2 : height - (y - y // 2), x // 2 : width - (x - x // 2)]

    return change


def resized(factor: float) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
        return np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))

    return change


def published_again(image: np.ndarray) -> np.ndarray:
    return levels(1.1)(jpeg(75)(cropped(0.02)(image)))


CHANGES = {
    "JPEG 90": (jpeg(90), 1.0),
    "JPEG 50": (jpeg(50), 1.0),
    "brighter by 30 %": (levels(1.3), 1.0),
    "brighter by 20 levels": (levels(1, 20), 1.0),
    "darker by 30 %": (levels(0.7), 0.99),
    "less contrast": (levels(0.7, 38), 0.99),
    "more contrast": (levels(1.3, -38), 0.95),  # what is dark becomes black
    "cropped by 2 %": (cropped(0.02), 0.99),
    "cropped by 2 % at a corner": (cropped(0.02, corner=True), 0.99),
    "half the size": (resized(0.5), 1.0),
    "double size": (resized(2), 1.0),
    "cropped, re-encoded and brighter": (published_again, 0.99),
}


@pytest.mark.parametrize("name", CHANGES)
def test_copies_of_real_images_are_found(some, name):
    change, least = CHANGES[name]
    n = len(some.pixels)
    copies = np.stack([thumbnail(np.ascontiguousarray(change(image))) for image in some.pixels])
    groups = joined(np.concatenate([some.thumbnails, copies]))
    assert sum(groups.connected(i, n + i) for i in range(n)) >= least * n
    sources = [record.source_id for record in some.records] * 2
    assert all(len({sources[i] for i in subset}) == 1 for subset in groups.subsets())


def test_turned_and_mirrored_images_are_other_images(some):
    """A limit: they are not looked for."""
    n = len(some.pixels)
    for turned in (some.thumbnails[:, :, ::-1], some.thumbnails[:, ::-1], some.thumbnails * 0):
        groups = joined(np.concatenate([some.thumbnails, turned]))
        assert sum(groups.connected(i, n + i) for i in range(n)) == 0


# -- not the same


def test_no_two_patients_of_the_pack_are_joined(pack):
    groups = joined(pack.thumbnails)
    several = [subset for subset in groups.subsets() if len(subset) > 1]
    assert len(several) > 20  # frames of one video
    for subset in several:
        assert len({pack.records[i].source_id for i in subset}) == 1
    assert max(map(len, several)) <= 5


def test_groups_of_the_whole_pack_stay_small(pack):
    """With sources, nothing is joined beyond them; without, only frames of one video are."""
    source_of = {(record.task, record.key): record.source_id for record in pack.records}
    known = group_records(pack.origins(sources=True), pack.images)
    assert len(known) == len(set(source_of.values()))
    assert max(map(len, known.values())) < 0.05 * len(pack.records)
    unknown = group_records(pack.origins(sources=False), pack.images)
    assert max(map(len, unknown.values())) <= 5
    for groups in (known, unknown):
        assert sum(map(len, groups.values())) == len(pack.records)
        assert max(len({source_of[name] for name in group}) for group in groups.values()) == 1


def scan_of(rng, *, level, noise, grain, haze=0.0, height=350, width=450):
    """A scan through a sector with a scanner's overlay: tissue of some brightness and texture."""
    y, x = np.mgrid[:height, :width]
    below, aside = y + 0.1 * height, x - width / 2
    radius, angle = np.hypot(below, aside) / (1.1 * height), np.degrees(np.arctan2(aside, below))
    sector = (np.abs(angle) < 35) & (radius > 0.15) & (radius < 0.95)
    texture = gaussian_filter(rng.standard_normal((height, width)), grain)
    tissue = level + noise * texture / texture.std() + haze * np.exp(-12 * y / height)
    image = Image.fromarray((np.clip(tissue, 0, 255) * sector).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.text((10, 40), "CLINIC 7", fill=200)
    draw.text((10, height - 40), "Gain 12 dB", fill=200)
    for tick in range(0, height, 10):
        draw.line((width - 20, tick, width - 14, tick), fill=255)
    return np.array(image)


@pytest.mark.parametrize("haze", [0, 120])
@pytest.mark.parametrize(
    ("level", "noise", "grain"),
    [(0, 0.5, 1), (1, 1, 1), (4, 1, 0.4), (5, 2, 0.4), (10, 3, 0.4), (20, 3, 0.4), (20, 6, 2)],
)
def test_dark_frames_of_one_scanner_are_not_joined(level, noise, grain, haze):
    """Frames with nothing in them: outline, overlay and the haze below the probe are all alike."""
    rng = np.random.default_rng(0)
    frames = [
        thumbnail(scan_of(rng, level=level, noise=noise, grain=grain, haze=haze)) for _ in range(12)
    ]
    assert near_duplicates(np.stack(frames), range(12)) == []


def test_outlines_are_no_evidence_where_tissue_is_elsewhere():
    """Each frame has tissue, but in another place: the outline is all that both have."""
    rng = np.random.default_rng(2)
    dark = scan_of(rng, level=20, noise=0.5, grain=0.4, haze=60)
    frames = []
    for rows in (slice(0, 180), slice(180, None)):
        frames.append(dark.copy())
        frames[-1][rows] = scan_of(rng, level=20, noise=3, grain=2, haze=60)[rows]
    assert near_duplicates(np.stack([thumbnail(frame) for frame in frames]), range(2)) == []


def test_a_panel_that_all_frames_have_is_no_evidence():
    """A dark frame and one with tissue have the panel in common, and little else."""
    rng = np.random.default_rng(3)
    panel = np.clip(120 + 250 * gaussian_filter(rng.standard_normal((64, 20)), 2), 0, 255)
    dark, tissue = np.full((2, 64, 64), 20, np.uint8)
    tissue[:, 20:] = 20 + 3 * rng.standard_normal((64, 44))
    dark[:, :20] = tissue[:, :20] = panel
    assert near_duplicates(np.stack([dark, tissue]), range(2)) == []


def test_frames_of_one_scanner_are_joined_by_their_tissue_alone():
    rng = np.random.default_rng(1)
    frames = [scan_of(rng, level=90, noise=30, grain=6, haze=60) for _ in range(12)]
    copies = [jpeg(75)(frame) for frame in frames]
    groups = joined(np.stack([thumbnail(image) for image in [*frames, *copies]]))
    assert sorted(map(sorted, groups.subsets())) == [[i, i + 12] for i in range(12)]


def test_images_without_content_are_joined_by_equal_pixels_alone():
    flat = np.stack([np.full((64, 64), level, np.uint8) for level in (0, 0, 7, 255)])
    assert near_duplicates(flat, range(4)) == []
    names = [("t", str(i)) for i in range(3)]
    pixels = [np.zeros(shape, np.uint8) for shape in ((9, 9), (9, 9), (9, 10))]
    images = {
        name: ScannedImage((9, 9), content_hash(image), thumbnail(image))
        for name, image in zip(names, pixels, strict=True)
    }
    origins = {name: (name[1], images[name].content) for name in names}
    assert sorted(group_records(origins, images).values()) == [names[:2], names[2:]]


# -- the same answer each time


def test_groups_do_not_depend_on_order(some):
    copies = [published_again(image) for image in some.pixels[:60]]
    copied = [Record("copies", r.key, f"copy of {r.key}", "") for r in some.records[:60]]
    both = Pack([*some.records, *copied], [*some.pixels, *copies])
    origins, images = both.origins(sources=False), both.images
    groups = group_records(origins, images)
    assert sum(len({task for task, _ in group}) > 1 for group in groups.values()) >= 50
    shuffle = random.Random(0).sample
    for _ in range(3):
        mixed = {name: origins[name] for name in shuffle(list(origins), len(origins))}
        seen = {name: images[name] for name in shuffle(list(images), len(images))}
        assert group_records(mixed, seen) == groups


def test_images_are_compared_across_blocks(some, monkeypatch):
    """However the pairs are cut into blocks, the same images belong together."""
    whole = joined(np.concatenate([some.thumbnails, some.thumbnails[::-1]])).subsets()
    monkeypatch.setattr(duplicates, "_BLOCK", 50)
    monkeypatch.setattr(duplicates, "_CHUNK", 7)
    parts = joined(np.concatenate([some.thumbnails, some.thumbnails[::-1]])).subsets()
    assert sorted(map(sorted, parts)) == sorted(map(sorted, whole))


def test_images_that_belong_together_are_not_compared(some):
    twice = np.concatenate([some.thumbnails[:5]] * 2)
    assert sorted(near_duplicates(twice, range(10))) == [(i, i + 5) for i in range(5)]
    assert near_duplicates(twice, [0, 1, 2, 3, 4] * 2) == []
    assert near_duplicates(twice[:0], []) == []
