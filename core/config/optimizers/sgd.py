"""Stochastic gradient descent with momentum, plain or Nesterov's."""

from typing import TYPE_CHECKING, Any

import numpy as np

from core.config.framework_default import FrameworkDefault
from core.config.optimizer import Argument, Optimizer

if TYPE_CHECKING:
    from core.config import RunConfig


def _keras_class(config: "RunConfig", keras: Any) -> type:
    class SGD(keras.optimizers.SGD):
        """Takes a momentum that Keras does not round."""

        def __init__(self, *arguments: Any, momentum: float, **options: Any):
            # Keras casts it with tf.cast, which takes a float of Python's for float32 and rounds it.
            super().__init__(*arguments, momentum=np.float64(momentum), **options)

    class AlignedSGD(SGD):
        """Multiplies with the rate when the step is taken, as PyTorch does, and not what is remembered."""

        def update_step(self, gradient, variable, learning_rate):
            step = gradient
            if self.momentum:
                # Its type decides that of the product, so in float32 it must be one of float32.
                momentum = keras.ops.cast(self.momentum, gradient.dtype)
                remembered = self.momentums[self._get_variable_index(variable)]
                self.assign(remembered, remembered * momentum + gradient)
                step = gradient + remembered * momentum if self.nesterov else remembered
            self.assign_sub(variable, step * learning_rate)

    return AlignedSGD if config.defaults == "aligned" else SGD


OPTIMIZER = Optimizer(
    name="sgd",
    title="SGD with momentum",
    description="follows a running sum of the gradients.",
    learning_rate=0.01,
    pytorch="SGD",
    keras="SGD",
    framework_rates=(0.001, 0.01),
    arguments=(
        Argument("momentum", "momentum", 0, "momentum", 0.0),
        Argument("nesterov", "nesterov", False, "nesterov", False),
    ),
    implementation="fused",
    capturable=False,
    keras_class=_keras_class,
    framework_defaults=(
        FrameworkDefault(
            "SGD: how the rate enters the momentum",
            "multiplies the remembered gradients when the step is taken",
            "multiplies each gradient before it is remembered",
            "multiplies when the step is taken",
            "The steps that follow a change of the rate, so whatever a schedule does: Keras's lag behind it.",
            "defaults",
        ),
    ),
    position=0,
)
