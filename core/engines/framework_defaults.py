"""Where PyTorch and Keras differ unless they are told otherwise, as data.

    for row in FRAMEWORK_DEFAULTS:
        print(row.name, row.pytorch, row.keras, row.aligned)
    pair_terms(config)                  # what the two runs of a pair share, in a sentence

`core.engines` computes what is said here. Aligned takes what the method's paper says, where there is
one. `decided_by` tells what makes a pair equal: the setting `defaults`, another setting, or Duet itself,
which always does the same in both.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from core.config import RunConfig
from core.engines.augmentation import is_augmented

DecidedBy = Literal["defaults", "initialisation", "the network", "always", "never"]

DECIDED_BY_TITLES: Mapping[DecidedBy, str] = {
    "defaults": "the setting Defaults",
    "initialisation": "the setting Initial weights",
    "the network": "the network's description",
    "always": "Duet, in every run",
    "never": "nothing: it stays different",
}


class FrameworkDefault(NamedTuple):
    """One default that the frameworks do not share, and what an aligned pair has in its place."""

    name: str
    pytorch: str
    keras: str
    aligned: str
    changes: str
    decided_by: DecidedBy


FRAMEWORK_DEFAULTS: tuple[FrameworkDefault, ...] = (
    FrameworkDefault(
        "Adam: ε",
        "1e-8, added after the bias of the mean is corrected",
        "1e-7, added before, so that it counts up to 30 times as much in the first steps",
        "1e-8, after: Kingma and Ba, 2015, algorithm 1",
        "The length of the steps of weights with small gradients, mostly at the start.",
        "defaults",
    ),
    FrameworkDefault(
        "RMSprop: decay",
        "α = 0.99",
        "ρ = 0.9",
        "0.9: Hinton's lecture, 2012",
        "The first steps: PyTorch's are √10 ≈ 3.2 times as long, and at a rate of 0.001 the loss can jump.",
        "defaults",
    ),
    FrameworkDefault(
        "RMSprop: ε",
        "1e-8, added to the root",
        "1e-7, added under the root, where it is as much as 3e-4 outside",
        "1e-8, added to the root",
        "The length of the steps of weights with small gradients, all along.",
        "defaults",
    ),
    FrameworkDefault(
        "Adadelta: decay",
        "ρ = 0.9",
        "ρ = 0.95",
        "0.95: Zeiler, 2012",
        "How fast the lengths of its steps follow those of the gradients.",
        "defaults",
    ),
    FrameworkDefault(
        "Adadelta: ε",
        "1e-6",
        "1e-7",
        "1e-6: Zeiler, 2012",
        "The length of the first steps, which begin at √ε: PyTorch's are √10 ≈ 3.2 times as long.",
        "defaults",
    ),
    FrameworkDefault(
        "SGD: how the rate enters the momentum",
        "multiplies the remembered gradients when the step is taken",
        "multiplies each gradient before it is remembered",
        "multiplies when the step is taken",
        "The steps that follow a change of the rate, so whatever a schedule does: Keras's lag behind it.",
        "defaults",
    ),
    FrameworkDefault(
        "Weight decay: what it is taken off",
        "added to the gradient, and so to all that is remembered of it; off the weights in AdamW only",
        "off the weights, times the rate, in every optimizer",
        "as in PyTorch; AdamW: Loshchilov and Hutter, 2019",
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
        "Adam and AdamW 0.001, RMSprop 0.01, SGD 0.001, Adadelta 1",
        "Adam and AdamW 0.001, RMSprop 0.001, SGD 0.01, Adadelta 0.001",
        "the setting Learning rate",
        "Everything.",
        "always",
    ),
    FrameworkDefault(
        "AdamW: weight decay",
        "0.01",
        "0.004",
        "the setting Weight decay, none unless it says so",
        "How strongly weights are pulled towards zero.",
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
