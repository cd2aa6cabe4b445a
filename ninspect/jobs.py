"""What the commands do with a model: JSON in, JSON out, so that each can be done in a process of its own."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ninspect import audit
from ninspect.detect import MMBD, Activated, AllToAll, Detector, FreeEagle, NeuralCleanse, NeuronInspect, Weights
from ninspect.errors import UsageError
from ninspect.explain import save_overlay
from ninspect.gradient import Objective, gradient_kind
from ninspect.isolation import Listener
from ninspect.model import Classifier, describe, load_classifier
from ninspect.runtime import gradient_model, save_model
from ninspect.samples import Preprocess

Facts = dict[str, Any]
_LONGEST_NAMES = 1_000_000  # characters of a file that nobody vouches for


def scan(
    listener: Listener,
    *,
    model: str,
    samples: str | None,
    preprocess: Facts,
    class_names: str | None,
    methods: Sequence[str],
    weights: Sequence[float] | None,
    threshold: float,
    chained: bool,
    **options: Any,
) -> Facts:
    """Judge a model; answers with a `Result`.

    The listener gets progress and the result so far; `options` are further fields of `ScanOptions`.
    """
    settings, source = preprocessing(model, **preprocess)
    asked = audit.ScanOptions(
        preprocess=settings,
        preprocess_source=source,
        class_names=names_of_classes(model, class_names),
        detectors=detectors(methods, weights, threshold, chained),
        **options,
    )
    result = audit.scan(
        Path(model),
        None if samples is None else Path(samples),
        asked,
        lambda done, total: listener.tell("progress", [done, total]),
        lambda partial: listener.tell("partial", partial.model_dump(by_alias=True)),
    )
    return result.model_dump(by_alias=True)


def explain(
    listener: Listener,
    *,
    model: str,
    image: str,
    label: int,
    objective: Objective,
    preprocess: Facts,
    **options: Any,
) -> Facts:
    """Explain one class at one image; the file is a PNG, the answer has `value` and `predicted`."""
    settings, source = preprocessing(model, **preprocess)
    asked = audit.ScanOptions(preprocess=settings, preprocess_source=source, **options)
    explanation = audit.explain_image(Path(model), Path(image), label, asked, objective)
    picture = io.BytesIO()
    save_overlay(picture, explanation.image, explanation.heatmap)
    listener.write(picture.getvalue())
    return {"value": explanation.value, "predicted": explanation.predicted}


def augment(listener: Listener, *, model: str, preprocess: Facts, output: str | None, objective: Objective) -> Facts:
    """Make the model with its gradient; the file is ONNX, the answer has `inputs`, `outputs` and `gradient`."""
    classifier = _classifier(model, preprocess, output)
    augmented = gradient_model(classifier, objective)
    facts = {
        "inputs": [value.name for value in augmented.graph.inputs],
        "outputs": [value.name for value in augmented.graph.outputs],
        "gradient": gradient_kind(classifier),
    }
    save_model(augmented, listener.write)
    return facts


def info(listener: Listener, *, model: str, preprocess: Facts, output: str | None) -> Facts:
    """What is understood of a model."""
    classifier = _classifier(model, preprocess, output)
    return describe(classifier) | {"gradient": gradient_kind(classifier) or "none"}


JOBS: dict[str, Callable[..., Facts]] = {"scan": scan, "explain": explain, "augment": augment, "info": info}


def _classifier(model: str, preprocess: Facts, output: str | None) -> Classifier:
    settings, _ = preprocessing(model, **preprocess)
    return load_classifier(Path(model), output=output, layout=settings.layout, size=settings.size)


def preprocessing(model: str, *, file: str | None, flags: Facts) -> tuple[Preprocess, str]:
    """The settings from the file that is given or lies beside the model, and from flags, and where they come from.

    Flags win; those that are None were not given.
    """
    beside = Path(model).parent / "preprocess.toml"
    chosen = Path(file) if file else beside if beside.is_file() else None
    settings = Preprocess.from_toml(chosen) if chosen else Preprocess()
    given = [name for name, value in flags.items() if value is not None]
    origin = [f"from {chosen}"] if chosen else []
    origin += [f"from the command line ({', '.join(given)})"] if given else []
    return settings.override(**flags), " and ".join(origin) or "defaults"


def names_of_classes(model: str, file: str | None) -> tuple[str, ...]:
    """The lines of the file that was given, or of the one beside the model; none where there is neither.

    Raises:
        UsageError: the file cannot be read.
    """
    beside = Path(model).parent / "classes.txt"
    chosen = Path(file) if file else beside if beside.is_file() else None
    if chosen is None:
        return ()
    try:
        with chosen.open(encoding="utf-8") as stream:
            return tuple(line.strip() for line in stream.read(_LONGEST_NAMES).splitlines())
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"{chosen} cannot be read ({why}); give a text file with a class name on each line") from error


def detectors(
    methods: Sequence[str], weights: Sequence[float] | None, threshold: float, chained: bool
) -> list[Detector]:
    """The chosen detectors with their settings; settings of another one are refused, not ignored."""
    if "neuroninspect" not in methods and (weights is not None or chained):
        raise UsageError("--weights and --chained belong to --method neuroninspect; add it or leave them out")
    if not {"activated", "neuroninspect"} & set(methods) and threshold != Activated().threshold:
        raise UsageError(f"--threshold does not belong to --method {methods[0]}; leave it out")
    sparse, smooth, persistent = weights or (1, 1, 1)
    makers: dict[str, Callable[[], Detector]] = {
        "activated": lambda: Activated(threshold=threshold),
        "all-to-all": AllToAll,
        "neuroninspect": lambda: NeuronInspect((sparse, smooth, persistent), threshold, chained),
        "mmbd": MMBD,
        "weights": Weights,
        "neural_cleanse": NeuralCleanse,
        "freeeagle": FreeEagle,
    }
    return [makers[method]() for method in dict.fromkeys(methods)]
