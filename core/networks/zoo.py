"""The networks that come with Duet, by name; each is one entry of `ARCHITECTURES`.

    architecture = ARCHITECTURES["cnn-64-32-32"]

`core.networks.registry` adds those that users have made.
"""

from core.networks.layers import (
    Activation,
    Architecture,
    BatchNorm,
    Convolution,
    Dense,
    DepthwiseConvolution,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Padding,
    Residual,
)


def _block(filters: int, *, pool: bool = True) -> list[Layer]:
    pooling = [MaxPool(padding="same")] if pool else []
    return [Convolution(filters=filters), Activation(), *pooling]


def _normalised(filters: int, kernel: int = 3, stride: int = 1, padding: Padding = "same") -> list[Layer]:
    convolution = Convolution(filters=filters, kernel=kernel, stride=stride, padding=padding)
    return [convolution, BatchNorm(), Activation()]


def _pooled(filters: int, kernel: int = 3, padding: Padding = "same") -> list[Layer]:
    # Pooled first, batch norm has a quarter of the values to look at.
    return [Convolution(filters=filters, kernel=kernel, padding=padding), MaxPool(), BatchNorm(), Activation()]


def _residual(filters: int) -> Residual:
    return Residual(layers=(*_normalised(filters), Convolution(filters=filters), BatchNorm()))


def _without_bias(filters: int, kernel: int = 3, stride: int = 1) -> list[Layer]:
    # The batch norm takes off whatever a bias would add.
    return [Convolution(filters=filters, kernel=kernel, stride=stride, bias=False), BatchNorm(), Activation()]


def _separable(filters: int, stride: int = 1) -> list[Layer]:
    depthwise = DepthwiseConvolution(stride=stride, bias=False)
    return [depthwise, BatchNorm(), Activation(), *_without_bias(filters, kernel=1)]


def _projected(filters: int, stride: int = 1) -> list[Layer]:
    *second, _ = _without_bias(filters)
    return [Residual(layers=(*_without_bias(filters, stride=stride), *second), projection=True), Activation()]


def _hidden(units: int) -> list[Layer]:
    return [Dense(units=units), Activation()]


def _normalised_hidden(units: int) -> list[Layer]:
    return [Dense(units=units), BatchNorm(), Activation()]


ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            name="cnn-64-32-32",
            description="Three convolutions with pooling and two dense layers: accurate, seconds an epoch.",
            layers=(
                *_block(64),
                *_block(32),
                *_block(32),
                Flatten(),
                Dense(units=100),
                Activation(),
                Dense(units="classes"),
            ),
        ),
        Architecture(
            name="ann-100",
            description="One hidden layer of 100 units: the smallest sensible network, under a second an epoch.",
            layers=(Flatten(), Dense(units=100), Activation(), Dense(units="classes")),
        ),
        Architecture(
            name="cnn-quick",
            description="Three small convolutions with batch norm, the first with stride 2: learns fastest.",
            layers=(
                *_normalised(16, kernel=5, stride=2),
                *_normalised(32),
                MaxPool(),
                *_normalised(64),
                MaxPool(),
                Flatten(),
                Dense(units="classes"),
            ),
        ),
        Architecture(
            name="cnn-fast",
            description="As cnn-quick, with batch norm after each pooling: the least arithmetic that reads 99%.",
            layers=(
                *_normalised(16, kernel=5, stride=2, padding="valid"),
                *_pooled(32),
                *_pooled(64),
                Flatten(),
                Dense(units="classes"),
            ),
        ),
        Architecture(
            name="cnn-balanced",
            description="As cnn-fast, with pooling instead of the stride and a hidden dense layer: more accurate.",
            layers=(
                *_pooled(16, kernel=5, padding="valid"),
                *_pooled(32),
                *_pooled(64),
                Flatten(),
                *_normalised_hidden(128),
                Dense(units="classes"),
            ),
        ),
        Architecture(
            name="cnn-accurate",
            description="As cnn-balanced, with five convolutions and dropout: more accurate, and slower.",
            layers=(
                *_pooled(16, kernel=5, padding="valid"),
                *_normalised(32),
                *_pooled(32),
                *_normalised(64),
                *_pooled(96),
                Flatten(),
                *_normalised_hidden(128),
                Dropout(rate=0.3),
                Dense(units="classes"),
            ),
        ),
        Architecture(
            name="cnn-32-64-dropout",
            description="Two convolutions without padding, then dropout and a large dense layer, from write-up 002.",
            layers=(
                Convolution(filters=32, padding="valid"),
                Activation(),
                Convolution(filters=64, padding="valid"),
                Activation(),
                MaxPool(),
                Dropout(rate=0.25),
                Flatten(),
                *_hidden(128),
                Dropout(rate=0.5),
                Dense(units="classes"),
            ),
        ),
        Architecture(
            name="cnn-32-64-64",
            description="Three convolutions, the last one without pooling, and two dense layers, from write-up 003.",
            layers=(
                Convolution(filters=32),
                Activation(),
                MaxPool(),
                Convolution(filters=64),
                Activation(),
                MaxPool(),
                Convolution(filters=64),
                Activation(),
                Flatten(),
                *_hidden(64),
                Dense(units="classes"),
            ),
        ),
        Architecture(
            name="mlp-512-512",
            description="Two dense layers of 512 units, from write-up 004: large, but quick to compute.",
            layers=(Flatten(), *_hidden(512), *_hidden(512), Dense(units="classes")),
        ),
        Architecture(
            name="asl-mlp-512-512",
            description="As mlp-512-512, with a softmax before the loss, which then works on probabilities.",
            layers=(
                Flatten(),
                *_hidden(512),
                *_hidden(512),
                Dense(units="classes"),
                Activation(function="softmax"),
            ),
        ),
        # Write-up 004 names no activations between its convolutions: a relu is assumed after each batch norm,
        # as is usual in PyTorch. That nothing is padded follows from its 100 flattened values.
        Architecture(
            name="asl-cnn-75-50-25",
            description="Three convolutions with batch norm and a softmax before the loss, from write-up 004.",
            layers=(
                *_normalised(75, padding="valid"),
                MaxPool(),
                *_normalised(50, padding="valid"),
                Dropout(rate=0.2),
                MaxPool(),
                *_normalised(25, padding="valid"),
                MaxPool(stride=1),
                Flatten(),
                *_hidden(512),
                Dropout(rate=0.3),
                Dense(units="classes"),
                Activation(function="softmax"),
            ),
        ),
        # LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.
        Architecture(
            name="lenet-5",
            description="The classic network for digits of 1998, with today's relu and max pooling.",
            layers=(
                Convolution(filters=6, kernel=5),
                Activation(),
                MaxPool(),
                Convolution(filters=16, kernel=5, padding="valid"),
                Activation(),
                MaxPool(),
                Flatten(),
                *_hidden(120),
                *_hidden(84),
                Dense(units="classes"),
            ),
        ),
        Architecture(
            name="resnet-small",
            description="Two residual blocks with batch norm: accurate, and the slowest here.",
            layers=(
                *_normalised(32),
                MaxPool(),
                _residual(32),
                Activation(),
                *_normalised(64),
                MaxPool(),
                _residual(64),
                Activation(),
                MaxPool(),
                Flatten(),
                Dense(units="classes"),
            ),
        ),
        # He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015: their network for CIFAR-10 of
        # 6n + 2 layers, with n = 1 and projections (option B).
        Architecture(
            name="resnet-8",
            description="Three residual blocks, two with a projection, and a global pooling: the smallest ResNet.",
            layers=(
                *_without_bias(16),
                *_projected(16),
                *_projected(32, stride=2),
                *_projected(64, stride=2),
                GlobalAveragePool(),
                Dense(units="classes"),
            ),
        ),
        # Howard et al., "MobileNets: Efficient convolutional neural networks for mobile vision applications", 2017.
        Architecture(
            name="mobile-small",
            description="Depthwise separable convolutions, as in MobileNets: few weights and little arithmetic.",
            layers=(
                *_without_bias(16, stride=2),
                *_separable(32),
                *_separable(64, stride=2),
                *_separable(64),
                *_separable(128, stride=2),
                GlobalAveragePool(),
                Dense(units="classes"),
            ),
        ),
    )
}
