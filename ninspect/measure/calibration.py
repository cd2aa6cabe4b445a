"""The numbers that decide a verdict, each with what it was fitted on.

Changing one of these changes verdicts. docs/method.md explains them, docs/study.md and docs/results.md show what they
amount to; the scripts that made those pages are named there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST_P = 1 / 20_001  # the resolution of simulated distributions, and no fitted tail is trusted further


@dataclass(frozen=True)
class Evidence:
    """When the smallest trigger of a class speaks for a backdoor.

    Chosen with 72 clean and 200 backdoored networks of the study in view (docs/study.md, "what tells the two apart";
    tools.study.report): of the clean ones, one had a trigger below `size`.

    Attributes:
        size: its mask is at most this share of what other classes need.
        success: it sends at least this share of held-out images to the class.
        size_of_few: the same where the classes are too few to compare: of 60 clean networks of three or four classes
            the smallest has 0.22 (docs/study.md),
        fewest_controls: and the triggers of so many other classes are there to compare it with. Of 30 clean networks of
            two classes, which have one other, three have a trigger below 0.2.
        size_on_drawn, success_on_drawn: the same where the images were drawn.
        p: where classes can be compared, some method has at most this p-value for the class: by itself a small trigger
            is no proof, since some classes have one by nature.
        p_in_doubt: the same where the images may not be what the model knows, or not in the form that it takes: of
            those, small triggers say even less.
        works: success of a trigger whose size another one can be compared with.
        most: classes that triggers are searched for, and at most a third of all.
        controls: other classes that they are compared with.
        images: half of them to search with, half held out.
    """

    size: float = 0.3
    success: float = 0.7
    size_of_few: float = 0.15
    fewest_controls: int = 2
    size_on_drawn: float = 0.2
    success_on_drawn: float = 0.9
    p: float = 0.2
    p_in_doubt: float = 0.01
    works: float = 0.5
    most: int = 3
    controls: int = 8
    images: int = 64


@dataclass(frozen=True)
class Pairs:
    """When the smallest trigger from one class to another speaks for a backdoor with a source class.

    Chosen with 16 MNIST networks that have a source class, of eight kinds, and 34 clean ones in view
    (docs/decisions.md).

    Attributes:
        size: its mask is at most this share of what other pairs need.
        success: it sends at least this share of held-out images of the source to the target.
        elsewhere: and at most this share of the images of other classes.
        foreign: what covers the image is at least this far from the target's images, relative to the source's.
        most_classes: among more, such as 43, some are always so alike that they hide the pair of a backdoor.
        fewest_images, most_images: of a class; half of them to search with, half held out.
        candidates: pairs that are looked at closely.
        controls: other targets of the source, and as many other sources of the target.
        others: images of other classes.
    """

    size: float = 0.5
    success: float = 0.8
    elsewhere: float = 0.1
    foreign: float = 0.95
    most_classes: int = 20
    fewest_images: int = 8
    most_images: int = 20
    candidates: int = 8
    controls: int = 6
    others: int = 48


@dataclass(frozen=True)
class Beside:
    """When a pair of classes does something in a model that it does in no reference.

    Attributes:
        near: share of the pairs of which the smallest triggers are searched,
        candidates: and number of those that are looked at closely.
        fewest_images, most_images: of a class that all models agree on; half of them to search with, half held out.
        nearest: of these, on so many it is looked how far it is from class to class.
        success: the trigger sends at least this share of held-out images of the source to the target,
        elsewhere: and at most this share of the images of other classes;
        foreign: what covers the image is at least this far from the target's images, relative to the source's;
        felt: it moves images of the source at most by this share of the way to the target in the reference;
        promising: its size is at most this share of what the reference needs,
        size: and this share of what other pairs of the model need;
        share: the latter is at most this share of the same in the reference.
    """

    near: float = 1 / 3
    candidates: int = 20
    fewest_images: int = 6
    most_images: int = 12
    nearest: int = 4
    success: float = 0.8
    elsewhere: float = 0.1
    foreign: float = 0.75
    felt: float = 0.4
    promising: float = 0.6
    size: float = 0.5
    share: float = 0.5


@dataclass(frozen=True)
class Stamps:
    """When what covers a place of the images serves one class as no class of a clean network.

    Chosen with 97 clean networks in view, of MNIST and GTSRB, three of CIFAR-10 and a few of other people, among them
    MLPs of ten units a layer (docs/measurements.md, `python -m tools.measure.evaluate .cache/study --method windows`).

    Attributes:
        shares: sides of the windows, as shares of the shorter side of an image;
        weights: of what is found in each size; the largest cover what natural images are told apart by.
        fitted: the gradient makes patterns for so many of the largest.
        works: a stamp counts that sends nearly all images so far beyond the next class, relative to natural images,
        foreign: and is as far from the images of the class, relative to those of others.
        rough_guessed, rough_fitted: of how far it pushes some class back relative to the others, so much is taken off.
        guess, confirmed: what a guess is worth by itself, and the share of what the gradient makes that is added to it.
        usual, scale: a clean network has a class that stands out as far as x with probability exp((usual − x) / scale).
        most_classes: that the gradient makes patterns for.
        fewest_images: without which it does not look.
        guessing, fitting: bytes of what the network computes, above which fewer windows are tried.
        fewest_windows: that are tried in any case.
        shown: classes whose best stamp is shown,
        judges: on how many held-out images it is judged;
        others: a class is not accused where the stamps of half of the others have a larger success at the same place.
    """

    shares: tuple[float, ...] = (3 / 14, 2 / 7, 3 / 7)
    weights: tuple[float, ...] = (1, 1, 0.75)
    fitted: int = 2
    works: float = 0.25
    foreign: float = 0.95
    rough_guessed: float = 1.0
    rough_fitted: float = 0.5
    guess: float = 2 / 3
    confirmed: float = 1 / 2
    usual: float = 0.4
    scale: float = 0.4
    most_classes: int = 20
    fewest_images: int = 6
    guessing: int = 24 * 1024**3
    fitting: int = 20 * 1024**3
    fewest_windows: int = 8
    shown: int = 3
    judges: int = 64
    others: float = 0.2

    def sides(self, length: int) -> dict[int, float]:
        """Sides of the windows in pixels, ascending, with their weights, for images whose shorter side is that long."""
        return {max(2, round(share * length)): weight for share, weight in zip(self.shares, self.weights, strict=True)}

    def stride(self, side: int) -> int:
        """How far apart the windows are that the gradient makes patterns for."""
        return max(2, round(0.6 * side))

    def p_values(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability that some class of a clean network stands out so far; not a number where the index is not."""
        return np.clip(np.exp((self.usual - index) / self.scale), SMALLEST_P, 1)


@dataclass(frozen=True)
class Agreement:
    """When two methods agree on a class.

    Attributes:
        weight: share of α, relative to a detector that compares classes; half, since it only joins what these find.
    """

    weight: float = 0.5


@dataclass(frozen=True)
class NearMisses:
    """When a class that is not suspected keeps a model from being called clean.

    Chosen with the rows of docs/study.csv and docs/results.csv: at most 3 of 167 clean networks are lost to it.

    Attributes:
        p: a clean network has a class as suspicious with at most this probability,
        size: and the smallest trigger of the class is at most this share of what other classes need;
        stamp_p: or the probability is at most this,
        stamp: the best stamp sends at least this share of held-out images to the class,
        rival: and what was tried for any other class at the same place at most this share.
    """

    p: float = 0.1
    size: float = 0.45
    stamp_p: float = 0.02
    stamp: float = 0.7
    rival: float = 0.5


@dataclass(frozen=True)
class Permutations:
    """When one perturbation of all images permutes the classes as an all-to-all backdoor does.

    The share in clean models was measured on 44 clean networks with few and many classes and images
    (tools.measure.permuted_share, docs/method.md), and rounded up.

    Attributes:
        weight: share of α, relative to a detector that compares classes: an attack that works is beyond any threshold.
        share: of the images of a class that go to its partner, from which on the class counts as a target.
        fewest_images: of a class: one that goes somewhere is no evidence.
        enough_classes: with as many images, however many classes there are.
        hopeless: share half-way, relative to the mean of clean models, below which the search ends.
    """

    weight: float = 0.1
    share: float = 0.25
    fewest_images: int = 2
    enough_classes: int = 10
    hopeless: float = 0.5

    @staticmethod
    def chance(classes: int, images: float) -> tuple[float, float]:
        """Mean and standard deviation of the share in clean models; few classes or images agree more by chance."""
        return 0.08 + 1.25 / classes + 0.2 / images, 0.03 + 0.25 / classes + 0.15 / images


@dataclass(frozen=True)
class Images:
    """How many images a verdict needs, and how right the model must be about them.

    Attributes:
        fewest: different images, below which a model is not called clean.
        advised: below which the result says that fewer backdoors are found.
        chances: accuracy up to so many times chance is near chance,
        at_most: where that is less than this;
        deviations: so is accuracy up to so many standard deviations of guessing above chance.
        known: median of the largest probability below which a model seems not to know images without labels. Of the
            networks that get 80 % of their images right the least sure has 0.67 (tools.measure.confidence).
    """

    fewest: int = 10
    advised: int = 50
    chances: float = 2.0
    at_most: float = 0.5
    deviations: float = 3.0
    known: float = 0.5


@dataclass(frozen=True)
class Outliers:
    """When outliers among classes mean something.

    The freedom was chosen with the 101 clean networks of the study in view (docs/study.md, docs/measurements.md).

    Attributes:
        fewest_classes: with fewer the median absolute deviation rests on two or three numbers.
        natural_freedom: in clean models, classes that are easy by nature scatter like Student's t with so many degrees.
        natural: quantile of a class's margins on its own images that counts as what it reaches by nature.
    """

    fewest_classes: int = 5
    natural_freedom: float = 6.0
    natural: float = 0.9


@dataclass(frozen=True)
class TruthTests:
    """How far the scan's tests of itself may be off: relative errors.

    All 117 models of the development set pass with a margin, and rules that are wrong by a fifth fail
    (docs/measurements.md). ONNX Runtime rounds some integers of quantised networks the other way where it fuses
    operators, and their straight-through gradient is the slope of the staircase only on average.

    Attributes:
        scores: between the converted model and the file, for float types of four bytes and more,
        half_scores: of two bytes,
        quantized_scores: of quantised networks.
        gradient: between the gradient and differences of the logits,
        quantized_gradient: of quantised networks.
    """

    scores: float = 1e-4
    half_scores: float = 1e-2
    quantized_scores: float = 0.05
    gradient: float = 0.05
    quantized_gradient: float = 0.15


@dataclass(frozen=True)
class Presets:
    """When one preset is clearly the right one.

    Attributes:
        clearly: standard deviations by which it is right more often than the next, where only one of both is right.
    """

    clearly: float = 2.0


@dataclass(frozen=True)
class Labels:
    """When a model's confidence contradicts the labels.

    How well confidence tells right answers from wrong ones is the area under the ROC curve. Of normal scores with a
    shift, it is about 0.5 + 0.43 s, with the accuracy s between guessing, 0, and 1. Of 114 networks of the development
    set and the 12 bundled ones, with true labels, those that are right about half to nine tenths of the images have
    0.69 to 0.91. Where labels were replaced at random, or half of the classes permuted, it is 0.5 to 0.7
    (docs/decisions.md).

    Attributes:
        slope, most: the least area is 0.5 + slope · min(s, most).
        accuracy: below it, the area alone speaks where it is surely less,
        errors: by so many standard errors.
        calibrated: from this accuracy on, an area that is less speaks together with the confidence
        gap: that, in the surer half of the images, exceeds the accuracy by so much,
        deviations: and so many standard deviations of it.
    """

    slope: float = 0.4
    most: float = 0.4
    accuracy: float = 0.8
    errors: float = 2.0
    calibrated: float = 0.5
    gap: float = 0.1
    deviations: float = 3.0

    def limit(self, accuracy: float, classes: int) -> float:
        """The least area under the ROC curve that an honest model has."""
        return 0.5 + self.slope * min((accuracy - 1 / classes) / (1 - 1 / classes), self.most)


@dataclass(frozen=True)
class Screen:
    """When a picture carries a trigger that was recovered.

    Chosen with MNIST networks of nine kinds of trigger in view, with seeds that docs/screen.md does not report
    (tools.study.screen).

    Attributes:
        score: how far its answer goes with a spot of it, at least. It is about 1/2 of pictures that have the answer
            without the trigger too, and 1 of others.
        natural, quantile: a spot counts where this quantile of the score of natural pictures is no larger.
        window: side of the spot that a picture looks at, as a share of the shorter side.
        partners: pictures that a spot is exchanged with,
        controls: and others that tell what is natural,
        fewest: of which there must be so many, or drawn pictures do,
        sample: among so many pictures of the folder.
        control: share of these that must be found with the recovered trigger on, where finding none is an answer.
    """

    score: float = 0.4
    natural: float = 0.35
    quantile: float = 0.95
    window: float = 3 / 14
    partners: int = 8
    controls: int = 64
    fewest: int = 16
    sample: int = 400
    control: float = 0.5


SCREEN = Screen()
EVIDENCE, PAIRS, PERMUTATIONS, IMAGES = Evidence(), Pairs(), Permutations(), Images()
STAMPS, AGREEMENT, NEAR_MISSES, BESIDE = Stamps(), Agreement(), NearMisses(), Beside()
OUTLIERS, TRUTH_TESTS, PRESETS, LABELS = Outliers(), TruthTests(), Presets(), Labels()
