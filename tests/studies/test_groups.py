"""Seeds of one setting as one group, and labels that say what differs and nothing else."""

from typing import Any

import pytest

from core.config import RunConfig, configure
from core.runs import FinishedRun, Run, Store, finished, new_id
from core.runs.folding import settings_key
from core.studies.comparison import MeanStd
from core.studies.groups import fold_seeds, run_labels, setting_in_label
from tests.runs.making import finished_results


def queued(store: Store, **settings: object) -> Run:
    return store.get(store.create(configure(**settings), submission=new_id()))


def done(store: Store, accuracy: float = 0.9, fingerprint: str = "0" * 64, **settings: Any) -> FinishedRun:
    run_id = store.create(configure(**settings), submission=new_id(), claimed=True)
    store.finish(run_id, 1, "done", finished_results(test_accuracy=accuracy, fingerprint=fingerprint))
    (run,) = finished([store.get(run_id)])
    return run


def test_labels_are_what_differs_and_nothing_else(store: Store):
    sizes = [queued(store, architecture="cnn-quick", batch_size=size) for size in (32, 64, 256)]
    pair = [queued(store, framework=framework, device="cpu") for framework in ("pytorch", "keras")]

    assert list(run_labels(sizes).values()) == ["batch 32", "batch 64", "batch 256"]
    assert list(run_labels(pair).values()) == ["PyTorch", "Keras"]
    assert list(run_labels([sizes[0], pair[1]]).values()) == [
        "cnn-quick · PyTorch · batch 32",
        "cnn-64-32-32 · Keras · batch 64",
    ]
    assert list(run_labels(sizes[:1]).values()) == ["cnn-quick · PyTorch"]


def test_labels_are_never_the_same(store: Store):
    twins = [queued(store, seed=1), queued(store, seed=1), queued(store, seed=2)]
    (first, second, other) = run_labels(twins).values()

    assert other == "seed 2"
    assert first == f"seed 1 · {twins[0].id[:4]}"
    assert second == f"seed 1 · {twins[1].id[:4]}"


def test_label_is_the_name_that_a_user_has_given(store: Store):
    runs = [queued(store, framework=framework) for framework in ("pytorch", "keras")]
    other = queued(store, batch_size=32)
    for run in runs:
        store.rename(run.id, "thesis")

    labels = run_labels([store.get(run.id) for run in (*runs, other)])

    assert labels[runs[0].id] == "thesis · PyTorch · batch 64"
    assert labels[other.id] == "PyTorch · batch 32"
    assert next(iter(run_labels([store.get(runs[0].id), other]).values())) == "thesis"


@pytest.mark.parametrize(
    ("settings", "name", "said"),
    [
        ({"learning_rate": 0.0005}, "learning_rate", "rate 0.0005"),
        ({"train_limit": None}, "train_limit", "all images"),
        ({"train_limit": 5000}, "train_limit", "5,000 images"),
        ({"epochs": 1}, "epochs", "1 epoch"),
        ({"seed": 12345}, "seed", "seed 12345"),
        ({"nesterov": True}, "nesterov", "nesterov momentum"),
        ({"flip_vertical": False}, "flip_vertical", "no vertical flip"),
        ({"optimizer": "adam"}, "optimizer", "Adam"),
        ({"optimizer": "adam"}, "momentum", ""),
        ({"schedule": "cosine"}, "schedule", "cosine schedule"),
        ({"class_weights": "balanced"}, "class_weights", "class weights balanced"),
    ],
)
def test_settings_are_said_in_a_few_words(settings: dict, name: str, said: str):
    assert setting_in_label(name, configure(**settings).model_dump()) == said


def test_every_setting_has_words():
    settings = RunConfig().model_dump()

    assert all(isinstance(setting_in_label(name, settings), str) for name in RunConfig.model_fields)


def test_seeds_of_a_setting_are_one_group(store: Store):
    runs = [done(store, 0.9 + seed / 100, seed=seed) for seed in (3, 1, 2)]
    other = done(store, batch_size=256)

    first, second = fold_seeds([*runs, other])

    assert [run.config.seed for run in first.runs] == [1, 2, 3]
    assert (first.label, second.label) == ("batch 64", "batch 256")
    assert first.spread("test_accuracy") == MeanStd(pytest.approx(0.92), pytest.approx(0.01), 3)
    assert first.key == fold_seeds(runs[:1])[0].key, "a further seed changes the key"
    assert [group.runs for group in fold_seeds([*runs, other], together=False)] == [(run,) for run in (*runs, other)]


def test_a_seed_that_was_trained_twice_counts_once_by_its_newest_run(store: Store):
    older, newer = done(store, 0.5), done(store, 0.9)

    (group,) = fold_seeds([newer, older])

    assert group.runs == (newer,)


def test_other_data_frameworks_and_settings_are_other_groups(store: Store):
    runs = [done(store), done(store, framework="keras"), done(store, epochs=4), done(store, fingerprint="1" * 64)]

    assert len(fold_seeds(runs)) == 4


def test_what_does_nothing_or_only_computes_makes_no_other_setting():
    key = settings_key(configure().model_dump())

    for same in ({"seed": 1}, {"framework": "keras"}, {"threads": 2}, {"beta_1": 0.5}, {"zoom": 0.0}):
        assert settings_key(configure(**same).model_dump()) == key
    for other in ({"epochs": 4}, {"device": "gpu:0"}, {"momentum": 0.5}, {"train_limit": 100}):
        assert settings_key(configure(**other).model_dump()) != key
    assert settings_key({"framework": "pytorch"}) == key, "what an older Duet did not know has its default"
