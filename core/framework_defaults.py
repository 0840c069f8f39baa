"""Where PyTorch and Keras differ unless they are told otherwise, as data.

    for row in FRAMEWORK_DEFAULTS:
        print(row.name, row.pytorch, row.keras, row.aligned)
    pair_terms(config)                  # what the two runs of a pair share, in a sentence

`core.backends` computes what is said here. Aligned takes what the method's paper says, where there is
one. `decided_by` tells what makes a pair equal: the setting `defaults`, another setting, or Duet itself,
which always does the same in both.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from core.augmentation import is_augmented
from core.config import RunConfig

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
        "Adam 0.001, RMSprop 0.01, SGD 0.001",
        "Adam 0.001, RMSprop 0.001, SGD 0.01",
        "the setting Learning rate",
        "Everything.",
        "always",
    ),
    FrameworkDefault(
        "SGD: how the rate enters the momentum",
        "multiplies the remembered gradients when the step is taken",
        "multiplies each gradient before it is remembered",
        "either: with a constant rate, as here, both are the same",
        "Only what follows a change of the rate.",
        "always",
    ),
    FrameworkDefault(
        "Weight decay",
        "added to the gradient, except in AdamW",
        "taken off the weights directly",
        "none",
        "Nothing here: both leave it off unless asked for, and so does Duet.",
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
    if config.initialisation == "shared":
        shared.append("initial weights")
    own = [] if config.initialisation == "shared" else ["initial weights"]
    if config.defaults == "framework":
        own.append("defaults")
    terms = f"A pair has the same {', '.join(shared[:-1])} and {shared[-1]}. "
    if not own:
        return terms + "Its defaults are aligned: both compute the same algorithm, but for dropout masks and rounding."
    return terms + f"Each framework keeps its own {' and '.join(own)}, and its own dropout masks."
