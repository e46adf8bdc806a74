"""Every term of the field that a page uses, explained once, in a sentence or two."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.text import slugify


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the field; `chapter` of the guide says more."""

    name: str
    text: str
    chapter: str

    @property
    def slug(self) -> str:
        return slugify(self.name)


GLOSSARY = (
    Term(
        "8-bit quantisation",
        "Weights and intermediate values are stored as whole numbers of 8 bits instead of 32-bit fractions. "
        "The file shrinks to about a quarter; some accuracy may be lost, so it is measured.",
        "models",
    ),
    Term(
        "Acquisition function",
        "The rule by which the sampler picks the next network to train: it weighs where accuracy may be "
        "high against where the predictor knows little.",
        "predictors",
    ),
    Term(
        "Augmentation",
        "Training images are shifted, turned, cropped or mirrored at random, so that the network learns "
        "what they show and not where it lies.",
        "recipes",
    ),
    Term(
        "Baseline",
        "The simplest rule that could do the job, such as “energy = constant × latency”. A predictor is of "
        "use only where it errs less.",
        "energy",
    ),
    Term(
        "Bottleneck",
        "A block of ResNets: few channels inside, many outside. A 1 × 1 convolution narrows, a 3 × 3 one "
        "filters, a 1 × 1 one widens again, and the input is added.",
        "searches",
    ),
    Term(
        "Calibration",
        "A scale and an offset that turn the sum of a network's operators into the time of the whole "
        "network. They are fitted to whole networks that were timed.",
        "tables",
    ),
    Term(
        "Candidate",
        "A network that a search proposes. All that is known of it is predicted, until it is trained.",
        "exploring",
    ),
    Term(
        "Confidence",
        "How sure a search must be that a network keeps a limit. At 50 % the predicted value may just reach "
        "it; at 90 % nine of ten such networks should keep it when they are measured.",
        "searches",
    ),
    Term(
        "Confusion matrix",
        "Counts of test images: a row for what they show, a column for what the network took them for. "
        "Right answers lie on the diagonal.",
        "models",
    ),
    Term(
        "Coverage",
        "The share of a space's operators that a table knows. A search needs all of them.",
        "tables",
    ),
    Term(
        "Cross-validation",
        "The samples are split into parts; each part is predicted by a predictor that learned from the "
        "other parts alone, and compared with what was measured.",
        "predictors",
    ),
    Term(
        "Crossover",
        "A new network takes each hyperparameter from one of two good ones, its parents.",
        "searches",
    ),
    Term(
        "Diversity",
        "How much the networks of a generation differ, from 0 (all alike) to 1. When it is used up, a "
        "search finds nothing new.",
        "searches",
    ),
    Term(
        "Dropout",
        "A share of the last features is left out at random in training, so that the network relies on no "
        "single one.",
        "recipes",
    ),
    Term(
        "Energy",
        "What one image costs the device, in millijoules, without what it would have used while idling.",
        "energy",
    ),
    Term(
        "Expansion ratio",
        "By how much an inverted residual widens its input before it filters it: 6 means six times as many "
        "channels inside.",
        "searches",
    ),
    Term(
        "Exponential moving average",
        "A slowly following average of the weights during training. It is often a better network than the "
        "last step's; the number is how slowly it follows.",
        "recipes",
    ),
    Term(
        "Gaussian process",
        "A statistical model that predicts an unseen network from similar ones that were measured, and says "
        "how uncertain it is.",
        "predictors",
    ),
    Term(
        "Generation",
        "One round of a search: every network of the population is scored, the better ones are combined and "
        "changed, and the result is the next population.",
        "searches",
    ),
    Term(
        "Held-out error",
        "How far predictions are off on networks that the predictor did not learn from. It is what to "
        "expect of networks that nobody has trained yet.",
        "predictors",
    ),
    Term(
        "Hyperparameter",
        "A choice that defines a network before training: its resolution, and each stage's width, depth, "
        "kernel and expansion.",
        "searches",
    ),
    Term(
        "Inverted residual",
        "The block of MobileNetV2: a 1 × 1 convolution widens, a depthwise one filters each channel alone, "
        "a 1 × 1 one narrows again, and the input is added where shapes allow.",
        "searches",
    ),
    Term(
        "Kendall's tau",
        "Of all pairs of networks, how many more are ranked rightly than wrongly: 1 if all are, 0 for "
        "chance.",
        "predictors",
    ),
    Term(
        "Label smoothing",
        "The training target is a little less than certain of the right class, which keeps the network from "
        "being overconfident.",
        "recipes",
    ),
    Term(
        "Latency",
        "The time of one call of a network on the device, in milliseconds.",
        "tables",
    ),
    Term(
        "Latency table",
        "How long each operator of a space takes on one device. The latency of any network of the space "
        "follows as a corrected sum.",
        "tables",
    ),
    Term(
        "Learned operator",
        "An operator that was not timed: its cost is predicted from timed ones of its kind, and the doubt "
        "about it widens the interval of every network that has it.",
        "tables",
    ),
    Term(
        "Leave-one-out",
        "Each sample is predicted from all the others, with everything else as it was learned from all. It "
        "flatters a little.",
        "predictors",
    ),
    Term(
        "Limit",
        "The most that a network may take of something: milliseconds, millijoules, bytes, multiply-adds or "
        "parameters. The search offers nothing that is predicted to take more.",
        "searches",
    ),
    Term(
        "Mean absolute error",
        "The average distance between predicted and measured, whichever is greater.",
        "predictors",
    ),
    Term(
        "Multiply-adds",
        "Multiplications with an addition that one image takes. It says something of latency, but two "
        "networks of equal count can differ several times in speed.",
        "exploring",
    ),
    Term(
        "Operator",
        "One step of a network as the device runs it, such as a convolution with its activation. Operators "
        "with the same shape cost the same wherever they stand.",
        "tables",
    ),
    Term(
        "Parameters",
        "The numbers that training learns. In 32 bits each takes 4 bytes of the file.",
        "exploring",
    ),
    Term(
        "Pareto front",
        "The networks that no other beats in everything: whoever is faster is less accurate, and whoever is "
        "more accurate is slower.",
        "exploring",
    ),
    Term(
        "Partial dependence",
        "The predicted accuracy for each choice of one hyperparameter, averaged over many networks that "
        "differ in all the others.",
        "predictors",
    ),
    Term(
        "Population",
        "The networks that a search holds at one time.",
        "searches",
    ),
    Term(
        "Precision",
        "Of the images that were taken for this class, the share that are of it.",
        "models",
    ),
    Term(
        "Prediction interval",
        "The range in which the true value should lie as often as is said: of a hundred 95 % intervals, "
        "about 95 should hold.",
        "exploring",
    ),
    Term(
        "Recall",
        "Of the images that are of this class, the share that was recognised.",
        "models",
    ),
    Term(
        "Recipe",
        "Everything a training needs besides the network and the images: epochs, learning rate, "
        "augmentation and so on. Accuracies can be compared only within one recipe.",
        "recipes",
    ),
    Term(
        "Relevance",
        "How much of the differences in predicted accuracy a hyperparameter accounts for.",
        "predictors",
    ),
    Term(
        "Reliability",
        "Whether intervals hold as often as they say. On the diagonal they are honest; below it they "
        "promise too much.",
        "predictors",
    ),
    Term(
        "Residual spread",
        "What is left of the differences between predicted and measured whole networks after calibration. "
        "Intervals of latency come from it.",
        "tables",
    ),
    Term(
        "Search space",
        "All networks that may be considered: a family, such as inverted residuals, and the choices for "
        "each hyperparameter.",
        "searches",
    ),
    Term(
        "Seed",
        "The number that all random choices follow from: the same seed with the same settings gives the "
        "same result.",
        "studies",
    ),
    Term(
        "Sobol sequence",
        "Points that fill a space more evenly than chance would.",
        "predictors",
    ),
    Term(
        "Spearman's rank correlation",
        "Whether predictions put networks in the right order: 1 for the true order, 0 for chance. A search "
        "lives on it more than on the error.",
        "predictors",
    ),
    Term(
        "Stratified split",
        "Every class gives the same share of its images to training, validation and test.",
        "data-sets",
    ),
    Term(
        "TorchScript",
        "A network as a file that PyTorch runs without the program that made it, also from C++.",
        "models",
    ),
    Term(
        "Warm start",
        "A predictor of another data set or recipe gives its opinion first; where the two agree, fewer "
        "trainings are enough.",
        "predictors",
    ),
    Term(
        "Welch's interval",
        "The range in which the true gain should lie, from how much the seeds of both networks scatter. If "
        "it holds zero, the gain is within the noise.",
        "studies",
    ),
)
_BY_NAME = {term.name.casefold(): term for term in GLOSSARY}


def term_called(name: str) -> Term:
    """Raises LookupError where the glossary has no such term."""
    try:
        return _BY_NAME[name.casefold()]
    except KeyError:
        raise LookupError(f"The glossary has no “{name}”: add it to chamnet_web/guide/glossary.py.") from None
