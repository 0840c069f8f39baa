"""What write-up 004 left open: why one dense network read .4052 of the signs in PyTorch and .8480 in Keras.

    python -m benchmarks.softmax_before_loss

PyTorch's cross-entropy takes logits, Keras's takes probabilities, so a softmax at the network's end counts
twice in PyTorch and once in Keras. Trains the network with and without it, in batches of 32, 4 and 1, from
each of both frameworks' initial weights, in PyTorch, with all else as in the recipe `asl-mlp-512-512`. Needs
Sign Language MNIST. Runs are kept in the usual store and not repeated, so this can be stopped and taken up;
`docs/softmax.md` is written anew after each.
"""

import sys
from collections.abc import Iterator, Mapping
from itertools import product

from core.config import RunConfig
from core.recipes import get_recipe
from core.runs import FinishedRun, Store, open_store
from core.studies.replication import config_of, data_of, finished_runs, machine, train
from core.system.files import write_bytes
from core.system.paths import PROJECT

DOCUMENT = PROJECT / "docs" / "softmax.md"
BATCH_SIZES = (32, 4, 1)
INITIALISATIONS = {"framework": "PyTorch's (Kaiming uniform, a = √5)", "shared": "Keras's (Glorot uniform, zero bias)"}
NETWORKS = ("asl-mlp-512-512", "mlp-512-512")
"""With a softmax of its own, and without."""


def main() -> int:
    """Train what is missing and write the table."""
    recipe = get_recipe("asl-mlp-512-512")
    data = data_of(recipe)
    if data.name is None:
        print(f"Import {data.title} first: python -m core datasets import --help.", file=sys.stderr)
        return 1
    store = open_store()
    configs = {
        (batch_size, initialisation, network): config_of(
            recipe,
            "pytorch",
            data.name,
            architecture=network,
            batch_size=batch_size,
            initialisation=initialisation,
            threads=1,  # so small a network is no faster on two
        )
        for batch_size, initialisation, network in product(BATCH_SIZES, INITIALISATIONS, NETWORKS)
    }
    for config in configs.values():
        write_document(store, configs, data.title)
        if not finished_runs(store, config):
            print(f"{config.architecture}, batch {config.batch_size}, {config.initialisation}", file=sys.stderr)
            if code := train(config):
                return code
    write_document(store, configs, data.title)
    return 0


def write_document(store: Store, configs: Mapping[tuple[int, str, str], RunConfig], data: str) -> None:
    """Write the table of what has been trained so far."""
    rows = []
    trained = {key: runs[0] for key, config in configs.items() if (runs := finished_runs(store, config))}
    for batch_size, initialisation in product(BATCH_SIZES, INITIALISATIONS):
        cells = [str(batch_size), INITIALISATIONS[initialisation]]
        for network in NETWORKS:
            run = trained.get((batch_size, initialisation, network))
            cells.append(_figures(run) if run else "not run yet")
        rows.append(f"| {' | '.join(cells)} |")
    table = "\n".join(rows)
    contributions = "\n".join(_contributions({key: run.results.test_accuracy for key, run in trained.items()}))
    text = f"""# A softmax before the cross-entropy

Written by `python -m benchmarks.softmax_before_loss` on {machine()}.

Write-up 004 trained one dense network (512, 512) on Sign Language MNIST and reported a test accuracy of .4052 in
PyTorch at batch 4, .25 at batch 32, and .8480 in Keras at batch 1, and left the difference open. Its network ends
with a softmax. Keras's cross-entropy takes these probabilities as such; PyTorch's applies another softmax to them,
so that no loss can fall below ln(e + 23) - 1 = 2.25 for 24 classes, and the gradient vanishes where the first
softmax is nearly sure, right or wrong.

Here both are trained in PyTorch, SGD at a rate of .001 with momentum .9, 20 epochs, seed 42.
Data: {data}.
Test accuracy, and the epoch that was kept:

| batch | initial weights | softmax twice, as written in PyTorch | softmax once, as Keras computes it |
|---:|---|---:|---:|
{table}

What each change alone adds to the accuracy, for each pair of runs that differ in nothing else:

{contributions}

By its description, Kaggle's images are variations of far fewer photographs. Where the data are not its split,
variations of one lie on both sides: then compare the columns with one another, not with what was published.
"""
    write_bytes(DOCUMENT, text.encode())


def _contributions(accuracy: Mapping[tuple[int, str, str], float]) -> Iterator[str]:
    """Yield a line for each change of one setting of the experiment, with the differences it makes."""
    twice, once = NETWORKS
    for title, position, before, after in (
        ("one softmax instead of two", 2, twice, once),
        ("batches of 4 instead of 32", 0, 32, 4),
        ("batches of 1 instead of 4", 0, 4, 1),
        ("Keras's initial weights instead of PyTorch's", 1, "framework", "shared"),
    ):
        pairs = {key: (*key[:position], after, *key[position + 1 :]) for key in accuracy if key[position] == before}
        differences = [
            f"{accuracy[other] - accuracy[key]:+.4f} ({_rest(key, position)})"
            for key, other in pairs.items()
            if other in accuracy
        ]
        yield f"- {title}: {', '.join(differences) or 'not run yet'}"


def _rest(key: tuple[int, str, str], position: int) -> str:
    """Name what two runs have in common, of batch, initial weights and network."""
    names = (
        f"batch {key[0]}",
        "PyTorch's weights" if key[1] == "framework" else "Keras's weights",
        "two softmaxes" if key[2] == NETWORKS[0] else "one softmax",
    )
    return ", ".join(name for number, name in enumerate(names) if number != position)


def _figures(run: FinishedRun) -> str:
    return f"{run.results.test_accuracy:.4f} (epoch {run.results.best_epoch})"


if __name__ == "__main__":
    sys.exit(main())
