"""What is written beside the models: a card for each, preprocessing, sample images and the README."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from PIL import Image

from tools.models.data import Dataset
from tools.models.poison import Attack, Trigger
from tools.models.recipes import RECIPES

Card = dict[str, Any]
SAMPLES_PER_CLASS = {"digits": 10, "signs": 3}
_BEGIN, _END = "<!-- table: begin -->", "<!-- table: end -->"


def trigger_table(attack: Attack) -> Card:
    """The ``trigger`` table of a card; ``position`` is [row, column] of the top left pixel, from 0."""
    trigger = attack.trigger
    assert isinstance(trigger, Trigger), "bundled models have squares"
    return {
        "kind": "opaque" if trigger.alpha == 1 else "translucent",
        "pattern": trigger.pattern,
        "size": [trigger.size, trigger.size],
        "position": [trigger.row, trigger.column],
        "alpha": trigger.alpha,
        "poison_fraction": attack.fraction,
    }


def write_toml(path: Path, content: Card) -> None:
    """Write a TOML file, making its folder."""
    import tomli_w  # in the group `models`, as the frameworks are

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tomli_w.dumps(content), encoding="utf-8")


def write_inputs(dataset: Dataset, folder: Path) -> None:
    """Write ``preprocess.toml``, ``classes.txt`` and ``samples/`` of a data set into its folder."""
    height, width, channels = dataset.test_images.shape[1:]
    content = dataset.preprocess.model_dump(mode="json", exclude_unset=True) | {
        "color": "gray" if channels == 1 else "rgb",
        "size": [height, width],
    }
    write_toml(folder / "preprocess.toml", content)
    (folder / "classes.txt").write_text("\n".join(dataset.class_names) + "\n", encoding="utf-8")
    _write_samples(dataset, folder / "samples")


def _write_samples(dataset: Dataset, folder: Path) -> None:
    """The first test images of every class; folder names are padded so that they sort by class number."""
    digits = len(str(dataset.classes - 1))
    for label in range(dataset.classes):
        images = dataset.test_images[dataset.test_labels == label][: SAMPLES_PER_CLASS[dataset.name]]
        place = folder / f"{label:0{digits}d}"
        place.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            # Pillow wants grey images without their channel axis.
            picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
            picture.save(place / f"{number:02d}.png", optimize=True)


def write_readme(folder: Path) -> None:
    """Fill the table in ``README.md`` from the cards that are in the folder; the text around it is kept."""
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8") if path.exists() else f"# Bundled models\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    path.write_text(f"{before}{_BEGIN}\n{_table(folder)}\n{_END}{after}", encoding="utf-8")


def _table(folder: Path) -> str:
    titles = ("model", "trigger", "target", "clean accuracy", "attack success", "parameters", "seed")
    head = f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|"
    cards = [folder / f"{name}.toml" for name in RECIPES]
    rows = [_row(tomllib.loads(card.read_text(encoding="utf-8"))) for card in cards if card.exists()]
    return "\n".join([head, *rows])


def _row(card: Card) -> str:
    trigger, target, success = "none", "", ""
    if "trigger" in card:
        table = card["trigger"]
        row, column = table["position"]
        blend = "" if table["alpha"] == 1 else f", alpha {table['alpha']:g}"
        trigger = f"{table['pattern']} {table['size'][0]}×{table['size'][1]} at row {row}, column {column}{blend}"
        target, success = str(card["target"]), f"{card['attack_success']:.1%}"
    name = f"{card['dataset']}/{card['name']}"
    cells = (f"`{name}`", trigger, target, f"{card['clean_accuracy']:.1%}", success, card["parameters"], card["seed"])
    return f"| {' | '.join(str(cell) for cell in cells)} |"
