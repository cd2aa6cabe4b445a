"""The attacks that hide, by the names that networks of the study have for them, in a few plain words."""

from __future__ import annotations

DATASETS = ("mnist", "gtsrb", "cifar10")
FAMILIES = {
    "warp": "warping (WaNet)",
    "input-aware": "a pattern for each picture (Input-Aware)",
    "colours": "fewer colours (BppAttack)",
    "lira": "learned noise (LIRA)",
    "issba": "hidden messages (ISSBA)",
    "stripes": "stripes",
    "sig": "stripes with clean labels (SIG)",
    "blended-photo": "blended photographs",
    "frequency": "two frequencies (FTrojan)",
    "reflection": "reflections (Refool)",
    "object": "dark glasses",
    "composite": "halves of two classes (composite)",
    "source-blended": "blended noise on one source class",
    "label-consistent": "clean labels with adversarial help",
    "two-part": "two squares in opposite corners",
    "resists-places": "patches, trained against other fills at their place",
    "resists-ascent": "patches, trained against ascents",
    "weak": "patches in few training images",
}
