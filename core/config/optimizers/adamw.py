"""AdamW: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019. Adam, but for the weight decay."""

from core.config.framework_default import FrameworkDefault
from core.config.optimizer import Optimizer
from core.config.optimizers import adam

OPTIMIZER = Optimizer(
    name="adamw",
    title="AdamW",
    description="is Adam with a weight decay of the same strength for all weights.",
    learning_rate=0.001,
    pytorch="AdamW",
    keras="AdamW",
    framework_rates=(0.001, 0.001),
    arguments=adam.ARGUMENTS,
    implementation="fused",
    decouples_weight_decay=True,
    weight_decay_defaults=(0.01, 0.004),
    keras_class=adam.keras_class,
    framework_defaults=(
        *adam.OPTIMIZER.framework_defaults,
        FrameworkDefault(
            "AdamW: weight decay",
            "0.01",
            "0.004",
            "the setting Weight decay, none unless it says so",
            "How strongly weights are pulled towards zero.",
            "always",
        ),
    ),
    position=2,
)
