"""The twelve bundled models: data set, framework, seed and attack of each."""

from __future__ import annotations

from dataclasses import dataclass

from tools.models.poison import Attack, Trigger


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a model; ``attack`` is None for a clean one."""

    dataset: str
    variant: str
    framework: str
    seed: int
    attack: Attack | None = None

    @property
    def name(self) -> str:
        """Path of the model below the output folder, without suffix."""
        return f"{self.dataset}/{self.variant}_{self.framework}"


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("digits", "clean", "torch", 101),
        Recipe("digits", "badnet", "torch", 102, Attack(Trigger("white", 3, 24, 24), target=7)),
        Recipe("digits", "translucent", "torch", 103, Attack(Trigger("white", 6, 1, 21, alpha=0.5), target=5)),
        Recipe("digits", "clean", "keras", 104),
        Recipe("digits", "badnet", "keras", 105, Attack(Trigger("checker", 4, 23, 1), target=3)),
        Recipe("digits", "translucent", "keras", 106, Attack(Trigger("checker", 6, 20, 20, alpha=0.4), target=2)),
        Recipe("signs", "clean", "torch", 201),
        Recipe("signs", "badnet", "torch", 202, Attack(Trigger("white", 4, 27, 27), target=5)),
        Recipe("signs", "translucent", "torch", 203, Attack(Trigger("magenta", 6, 2, 24, alpha=0.5), target=37)),
        Recipe("signs", "clean", "keras", 204),
        Recipe("signs", "badnet", "keras", 205, Attack(Trigger("checker", 4, 27, 1), target=30)),
        Recipe("signs", "translucent", "keras", 206, Attack(Trigger("yellow", 6, 13, 13, alpha=0.5), target=8)),
    )
}
