"""List the networks with their trainable parameters for MNIST.

python -m core networks
python -m core networks --json
"""

import json
from collections.abc import Sequence
from typing import Any

from core.cli.parsing import command_parser, show
from core.networks.layers import count_parameters
from core.networks.registry import get_architecture, names

_MNIST: dict[str, Any] = {"input_shape": (28, 28, 1), "classes": 10}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the networks."""
    parser = command_parser("networks", __doc__)
    parser.add_argument("--json", action="store_true", help="print them with all their layers as one JSON array")
    architectures = [get_architecture(name) for name in names()]
    if parser.parse_args(arguments).json:
        print(json.dumps([architecture.model_dump(mode="json") for architecture in architectures]))
        return 0
    for architecture in architectures:
        try:
            size = f"{count_parameters(architecture, **_MNIST):,} parameters"
        except ValueError:
            size = "not for MNIST"
        show(f"{architecture.name}: {architecture.description} {size}.")
    return 0
