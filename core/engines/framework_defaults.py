"""Where PyTorch and Keras differ unless they are told otherwise, as data.

    for row in FRAMEWORK_DEFAULTS:
        print(row.name, row.pytorch, row.keras, row.aligned)
    pair_terms(config)                  # what the two runs of a pair share, in a sentence

`core.engines` computes what is said here. Aligned takes what the method's paper says, where there is
one. What differs in one optimizer only is told by its entry in `core.config.optimizers`.
"""

from collections.abc import Mapping
from typing import Literal

from core.config import RunConfig
from core.config.framework_default import DecidedBy, FrameworkDefault
from core.config.optimizers import OPTIMIZERS
from core.engines.augmentation import is_augmented
from core.system.text import in_words

DECIDED_BY_TITLES: Mapping[DecidedBy, str] = {
    "defaults": "the setting Defaults",
    "initialisation": "the setting Initial weights",
    "the network": "the network's description",
    "always": "Duet, in every run",
    "never": "nothing: it stays different",
}


def _framework_rates(framework: Literal[0, 1]) -> str:
    """Return the learning rates that PyTorch (0) or Keras (1) takes by itself, such as "Adam and AdamW 0.001"."""
    optimizers: dict[float, list[str]] = {}
    for optimizer in OPTIMIZERS.values():
        optimizers.setdefault(optimizer.framework_rates[framework], []).append(optimizer.pytorch)
    return ", ".join(f"{in_words(names)} {rate:g}" for rate, names in optimizers.items())


_DECOUPLED = in_words(each.title for each in OPTIMIZERS.values() if each.decouples_weight_decay)

FRAMEWORK_DEFAULTS: tuple[FrameworkDefault, ...] = (
    *dict.fromkeys(row for optimizer in OPTIMIZERS.values() for row in optimizer.framework_defaults),
    FrameworkDefault(
        "Weight decay: what it is taken off",
        f"added to the gradient, and so to all that is remembered of it; off the weights in {_DECOUPLED} only",
        "off the weights, times the rate, in every optimizer",
        f"as in PyTorch; {_DECOUPLED}: Loshchilov and Hutter, 2019",
        "How strong it is: with a momentum of 0.9 PyTorch's SGD pulls ten times as much, and Adam evens it out.",
        "defaults",
    ),
    FrameworkDefault(
        "Class weights: the mean over a batch",
        "over the weights of its images; a smoothed label's shares have the weights of their own classes",
        "over its images; a smoothed label has the weight of the image's class",
        "over its images, each with the weight of its class",
        "How far a batch with many images of common, or rare, classes moves the weights.",
        "defaults",
    ),
    FrameworkDefault(
        "Batch norm: variance for predictions",
        "averages n/(n-1) times the batch's variance",
        "averages the batch's variance itself",
        "n/(n-1) times: Ioffe and Szegedy, 2015, algorithm 2",
        "Predictions after dense layers and small batches; training itself stays the same.",
        "defaults",
    ),
    FrameworkDefault(
        "Batch norm: ε",
        "1e-5",
        "1e-3",
        "what the layer says, 1e-5 unless it says otherwise",
        "How strongly a channel that hardly varies is stretched.",
        "the network",
    ),
    FrameworkDefault(
        "Batch norm: momentum",
        "0.1 of the new",
        "0.99 of the old",
        "what the layer says, 0.9 of the old unless it says otherwise",
        "How fast predictions follow the training: Keras's average is ten times as long.",
        "the network",
    ),
    FrameworkDefault(
        "Initial weights",
        "Kaiming uniform with a = √5, biases uniform",
        "Glorot uniform, biases zero",
        "Shared: Glorot uniform, drawn once",
        "Where the training starts: the greatest of all differences.",
        "initialisation",
    ),
    FrameworkDefault(
        "Learning rate",
        _framework_rates(0),
        _framework_rates(1),
        "the setting Learning rate",
        "Everything.",
        "always",
    ),
    FrameworkDefault(
        "Gradient clipping",
        "to the length of all layers together, to which 1e-6 is added",
        "clipnorm: each layer by itself; global_clipnorm: all together",
        "to the length of all layers together",
        "Which gradients are shortened, and how much.",
        "always",
    ),
    FrameworkDefault(
        "Weight averaging",
        "begins with the first weights that it is given; batch norm's averages only if it is told to",
        "begins with the weights after the first step; never batch norm's averages",
        "begins with the initial weights, remembers less at first, and averages batch norm's averages, too",
        "What is validated and kept, mostly in short trainings; the training itself stays the same.",
        "always",
    ),
    FrameworkDefault(
        "Loss",
        "from logits, mean over the batch",
        "from probabilities, mean over the batch",
        "from logits, mean over the batch",
        "A softmax in the network and another in the loss slow the learning down.",
        "always",
    ),
    FrameworkDefault(
        "Padding 'same'",
        "the same on both sides, before pooling at most half a window",
        "the odd row behind, and none where the stride leaves nothing over",
        "as TensorFlow counts it",
        "Which pixels a convolution with a stride, or a pooling, sees.",
        "always",
    ),
    FrameworkDefault(
        "Order when flattened",
        "channel, height, width",
        "height, width, channel",
        "height, width, channel",
        "Which weight belongs to which input; needed to exchange weights.",
        "always",
    ),
    FrameworkDefault(
        "Dropout masks",
        "from PyTorch's generator",
        "from TensorFlow's generator",
        "cannot be aligned",
        "Which inputs are dropped at each step. Parity is measured with dropout off.",
        "never",
    ),
)


def pair_terms(config: RunConfig) -> str:
    """Say on what terms a pair with these settings runs."""
    shared = ["split", "batches"]
    if is_augmented(config):
        shared.append("augmentation")
    drawn_once = config.initialisation != "framework" or config.initial_weights is not None
    if drawn_once:
        shared.append("initial weights")
    own = [] if drawn_once else ["initial weights"]
    if config.defaults == "framework":
        own.append("defaults")
    terms = f"A pair has the same {', '.join(shared[:-1])} and {shared[-1]}. "
    if not own:
        return terms + "Its defaults are aligned: both compute the same algorithm, but for dropout masks and rounding."
    return terms + f"Each framework keeps its own {' and '.join(own)}, and its own dropout masks."
