"""Batch normalisation, which averages the same variance in both frameworks where a run's defaults are aligned."""

import math
from functools import cache
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from core.networks.kind import LayerKind, OnnxGraph, call, step
from core.networks.windows import Shape


class BatchNorm(LayerKind):
    """Batch normalisation over all axes but the last.

    `momentum` is the share of the old moving average that is kept, as Keras counts it;
    PyTorch's momentum is one minus it.
    """

    TITLE: ClassVar = "Batch norm"
    IN_A_RESIDUAL: ClassVar = True
    STATISTICS: ClassVar = ("moving_mean", "moving_variance")
    INITIAL_VALUES: ClassVar = {"gamma": 1.0, "moving_variance": 1.0}
    PYTORCH_WEIGHTS: ClassVar = {
        "gamma": ("weight", (0,)),
        "beta": ("bias", (0,)),
        "moving_mean": ("running_mean", (0,)),
        "moving_variance": ("running_var", (0,)),
    }
    PYTORCH_BUFFERS: ClassVar = {"num_batches_tracked": 0}
    FEATURE_AXES: ClassVar = dict.fromkeys(PYTORCH_WEIGHTS, 0)

    kind: Literal["batch_norm"] = "batch_norm"
    epsilon: float = Field(
        default=1e-5,
        gt=0,
        le=0.1,
        title="Epsilon",
        description="Added to the variance, so that nothing is divided by zero.",
        json_schema_extra=step(1e-5),
    )
    momentum: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        title="Momentum",
        description="The share of its running averages that a step keeps, as Keras counts it; PyTorch's is 1 minus it.",
        json_schema_extra=step(0.05),
    )

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(), cls(epsilon=1e-3, momentum=0.7)

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return dict.fromkeys(self.PYTORCH_WEIGHTS, (shape[-1],))

    def explain_parameters(self, shape: Shape) -> str:
        channels = f"{shape[-1]:,}"
        return (
            f"{channels} scales + {channels} shifts = {self.parameters(shape):,}; "
            f"{channels} means and {channels} variances are averaged, not learnt"
        )

    def describe(self) -> str:
        return f"ε {self.epsilon:g}, momentum {self.momentum:g}"

    def needs_batches(self, shape: Shape) -> bool:
        return math.prod(shape[:-1]) == 1

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        return _pytorch_batch_norm(torch)(shape[-1], self.epsilon, 1 - self.momentum)

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        norm = _aligned_batch_norm(keras, tensorflow) if aligned else keras.layers.BatchNormalization
        return norm(momentum=self.momentum, epsilon=self.epsilon, name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        dimensions = 2 if len(shape) == 3 else 1
        momentum = round(1 - self.momentum, 12)
        return [call(f"nn.BatchNorm{dimensions}d", shape[-1], eps=self.epsilon, momentum=momentum)]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return call("layers.BatchNormalization", momentum=self.momentum, epsilon=self.epsilon)

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        weights = [graph.weight(f"{name}/{key}") for key in self.PYTORCH_WEIGHTS]
        return graph.add("BatchNormalization", *values, *weights, epsilon=self.epsilon)


@cache
def _pytorch_batch_norm(torch: Any) -> Any:
    class BatchNorm(torch.nn.modules.batchnorm._BatchNorm):
        """Takes a last batch of one image, too, as Keras does; PyTorch refuses a single value a channel."""

        def _check_input_dim(self, _values: Any) -> None:
            """The shapes have been checked with the network."""

        def forward(self, values: Any) -> Any:
            if not self.training or values.numel() > self.num_features:
                return super().forward(values)
            # It is its own mean, and has no spread.
            with torch.no_grad():
                self.running_mean.lerp_(values.flatten(), self.momentum)
                self.running_var.mul_(1 - self.momentum)
            shape = (1, -1, *(1 for _ in values.shape[2:]))
            return (values - values) * self.weight.view(shape) + self.bias.view(shape)

    return BatchNorm


@cache
def _aligned_batch_norm(keras: Any, tf: Any) -> Any:
    class AlignedBatchNorm(keras.layers.BatchNormalization):
        """Averages the unbiased variance, as PyTorch and Ioffe and Szegedy, "Batch Normalization", 2015, do.

        Images in float32 go through TensorFlow's fused operation, which is quicker than Keras's many small ones and
        returns the unbiased variance.
        """

        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            if not training:
                return super().call(inputs, training=training, mask=mask)
            if len(inputs.shape) == 4 and inputs.dtype == tf.float32:
                outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                    x=inputs,
                    scale=self.gamma.value,
                    offset=self.beta.value,
                    mean=[],
                    variance=[],
                    epsilon=self.epsilon,
                    is_training=True,
                )
                for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                    average.assign(average * self.momentum + value * (1 - self.momentum))
                return outputs
            kept = self.moving_variance * self.momentum
            outputs = super().call(inputs, training=training, mask=mask)
            count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], kept.dtype)
            self.moving_variance.assign(kept + (self.moving_variance - kept) * count / tf.maximum(count - 1, 1))
            return outputs

    return AlignedBatchNorm
