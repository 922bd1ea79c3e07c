"""Every anatomy, and what it can be asked for: the table to extend when an anatomy is added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from usmt_phantom.anatomy import abdomen, breast, fetal, head, heart, lung, neck, nerve, pelvis
from usmt_phantom.anatomy.plan import Draw

Kind = Literal["segmentation", "classification", "regression", "detection"]
Names = tuple[str, ...]
"""Words by which one thing is known; the first is the anatomy's own."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An anatomy and what it can be asked for.

    Attributes:
        draw: makes the scene.
        organs: words for the organ.
        variants: looks that it has, in the order of the classes.
        regions: parts that it outlines, in the order of the classes.
        points: landmarks that it has.
        tasks: ids of tasks that it serves whatever their organ is called.
    """

    draw: Draw
    organs: Names
    variants: tuple[Names, ...] = ()
    regions: tuple[Names, ...] = ()
    points: int = 0
    tasks: Names = ()

    def serves(self, kind: Kind, count: int) -> bool:
        """Whether it has a label of this kind for `count` classes or points."""
        match kind:
            case "classification":
                return len(self.variants) == count
            case "segmentation":
                return len(self.regions) == count - 1 and count > 1
            case "detection":
                return len(self.regions) == 1
            case "regression":
                return self.points == count


_HEAD: Names = ("head", "skull")
_SYMPHYSIS: Names = ("symphysis", "pub")
SUBJECTS: tuple[Subject, ...] = (
    Subject(
        breast.breast,
        ("breast", "mamma"),
        breast.LESIONS,
        (("lesion", "tumo", "mass"),),
        tasks=("breast_2cls", "breast_lesion"),
    ),
    Subject(breast.breast, ("breast",), breast.VARIANTS, tasks=("breast_3cls",)),
    Subject(
        lung.lung,
        ("lung", "pleura", "chest"),
        lung.VARIANTS,
        tasks=("lung_disease_3cls",),
    ),
    Subject(lung.lung, ("lung", "pleura", "chest"), lung.TWO, tasks=("lung_2cls",)),
    Subject(
        lung.lung,
        ("lung", "pleura", "chest"),
        lung.FINDINGS,
        (("finding",),),
        tasks=("lung",),
    ),
    Subject(
        head.fetal_head,
        ("fetal_head", "head", "brain"),
        regions=(_HEAD,),
        points=4,
        tasks=("fetal_head",),
    ),
    Subject(head.fetal_head, ("fetal_head", "head", "brain"), points=2),
    Subject(head.head_position, ("fetal_head",), head.EIGHT, tasks=("fetal_head_pos_cls",)),
    Subject(
        head.head_and_symphysis,
        ("symphysis", "pelvis", "fetal_head", "intrapartum"),
        regions=(_SYMPHYSIS, _HEAD),
        points=3,
        tasks=("IUGC", "head_symphysis_multi"),
    ),
    Subject(
        fetal.fetal_abdomen,
        ("fetal_abdomen", "abdomen"),
        regions=(("liver",), ("stomach",), ("vein", "umbilical"), ("artery", "aorta")),
        tasks=("fetal_abdomen_multi",),
    ),
    Subject(
        fetal.fetal_heart,
        ("fetal_heart", "fetal_thorax", "thorax"),
        regions=(("heart",),),
        tasks=("fetal_heart",),
    ),
    Subject(fetal.fetal_femur, ("fetal_femur", "femur"), points=2, tasks=("fetal_femur",)),
    Subject(
        fetal.sacrum,
        ("fetal_sacrum", "sacrum", "sacral"),
        head.EIGHT,
        tasks=("fetal_sacral_pos_cls",),
    ),
    Subject(pelvis.cervix, ("cervix",), regions=(("cervix",),), points=2, tasks=("FUGC", "cervix")),
    Subject(
        pelvis.cervix,
        ("cervix",),
        regions=(("anterior", "upper"), ("posterior", "lower")),
        tasks=("cervix_multi",),
    ),
    Subject(
        pelvis.uterus,
        ("uterus", "myometrium"),
        regions=(("fibroid", "myoma"),),
        tasks=("uterine_fibroid_det",),
    ),
    Subject(
        pelvis.ovary,
        ("ovary", "adnexa"),
        regions=(("tumour", "tumor", "cyst"),),
        tasks=("ovary_tumor",),
    ),
    Subject(
        heart.apical_four_chambers,
        ("heart",),
        regions=(
            ("ventricle", "ventric", "endo", "lv"),
            ("muscle", "myo", "epi"),
            ("atrium", "la"),
        ),
        tasks=("cardiac_multi",),
    ),
    Subject(
        neck.thyroid,
        ("thyroid",),
        regions=(("nodule",),),
        tasks=("thyroid_nodule", "thyroid_nodule_det"),
    ),
    Subject(nerve.nerve, ("nerve",), regions=(("nerve",), ("vessel", "artery", "vein"))),
    Subject(
        neck.carotid,
        ("carotid", "carotid_artery", "artery", "vessel"),
        regions=(("lumen", "carotid", "artery"),),
        tasks=("carotid_artery",),
    ),
    Subject(
        neck.spinal_cord,
        ("spinal_cord", "spine", "cord"),
        regions=(("injury", "lesion"),),
        tasks=("spinal_cord_injury_loc",),
    ),
    Subject(
        abdomen.liver,
        ("liver",),
        abdomen.LIVER,
        (("lesion",),),
        tasks=("liver_lesion_2cls",),
    ),
    Subject(abdomen.kidney, ("kidney",), regions=(("kidney",),)),
)

PANELS: dict[str, Names] = {
    "fetal_plane_cls": ("abdomen", "brain", "femur", "thorax", "cervix", "other"),
    "organ_cls": ("breast", "heart", "kidney", "liver", "thyroid", "carotid"),
}
"""Tasks whose classes are organs or planes, in the order of the classes, where their names do not
say which."""
