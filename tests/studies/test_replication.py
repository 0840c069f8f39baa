"""Replication: which runs count, what they are compared with, and that only what is missing is trained."""

import json
from types import SimpleNamespace

import pytest

from core.cli.replicate import main
from core.config import FRAMEWORK_TITLES, RunConfig, configure
from core.recipes import RECIPES, Reported
from core.runs import Run, Store, new_id, open_store
from core.studies import replication
from core.studies.replication import (
    as_table,
    config_of,
    data_of,
    finished_runs,
    measure,
    read_report,
    rows,
    train,
    write_report,
)
from core.training.records import StepMetrics
from tests.runs.making import finished_results


@pytest.fixture
def store() -> Store:
    return open_store()


def finish(store: Store, config: RunConfig, accuracy: float) -> Run:
    """Record a finished run whose validation accuracy grew by .01 an epoch up to `accuracy`."""
    run_id = store.create(config, submission=new_id(), claimed=True)
    store.begin(run_id, 1, total_steps=config.epochs)
    points = [
        StepMetrics(epoch, float(epoch), "validation", 0.5, accuracy - 0.01 * (config.epochs - epoch), 2.0)
        for epoch in range(1, config.epochs + 1)
    ]
    store.add_metrics(run_id, 1, 1, points)
    results = finished_results(test_accuracy=accuracy, test_loss=0.1, val_accuracy=accuracy)
    store.finish(run_id, 1, "done", results)
    return store.get(run_id)


def published(name: str, **changes) -> RunConfig:
    return config_of(RECIPES[name], RECIPES[name].settings["framework"], "mnist", **changes)


def test_runs_count_with_any_seed_wherever_they_ran_but_with_no_other_difference(store):
    config = published("ann-100")
    counted = [finish(store, config.model_copy(update={"seed": seed, "threads": 1}), 0.97) for seed in (44, 42)]
    finish(store, config.model_copy(update={"batch_size": 32}), 0.1)
    finish(store, config.model_copy(update={"framework": "pytorch"}), 0.1)
    store.create(config, submission=new_id())

    assert [run.id for run in finished_runs(store, config)] == [run.id for run in reversed(counted)]


def test_figure_is_that_of_the_kept_epoch_or_of_the_one_that_is_named(store):
    run = finish(store, published("mlp-512-512"), 0.97)

    assert measure(store, run, Reported("test_accuracy", 0.9)) == 0.97
    assert measure(store, run, Reported("test_accuracy", 0.9, epoch=5)) == pytest.approx(0.92)
    assert measure(store, run, Reported("test_loss", 0.1, epoch=10)) == 0.5
    assert measure(store, run, Reported("test_accuracy", 0.9, epoch=99)) == 0.97


def test_every_reported_figure_has_a_row_in_its_own_framework(store):
    found = [(row.recipe, row.framework, row.reported) for row in rows(store)]

    assert found == [
        (recipe.name, recipe.settings["framework"], reported.value)
        for recipe in RECIPES.values()
        for reported in recipe.reported
    ]
    assert not any(row.measured for row in rows(store))


def test_row_of_the_other_framework_appears_with_its_first_run(store):
    finish(store, published("ann-100").model_copy(update={"framework": "pytorch"}), 0.97)

    assert [row.framework for row in rows(store) if row.recipe == "ann-100" and row.figure == "test accuracy"] == [
        "pytorch",
        "keras",
    ]


def test_table_gives_mean_spread_and_difference(store):
    for seed, accuracy in ((42, 0.97), (43, 0.98)):
        finish(store, published("ann-100", seed=seed), accuracy)

    lines = as_table(rows(store)).splitlines()

    assert "| `ann-100` | Keras | MNIST | test accuracy | 0.9758 | 0.9750 ± 0.0071 | 2 | -0.0008 | 2 s |" in lines
    assert {line.count("|") for line in lines} == {10}


def test_table_says_what_to_do_where_nothing_was_measured(store):
    table = as_table(rows(store))

    assert "| 0.9896 | run `python -m core replicate --recipe cnn-64-32-32` |" in table
    assert "import Sign Language MNIST, then run `python -m core replicate --recipe asl-cnn-75-50-25`" in table


def test_a_single_run_has_no_spread(store):
    finish(store, published("ann-100"), 0.97)

    (row,) = (row for row in rows(store) if row.recipe == "ann-100" and row.figure == "test accuracy")
    assert (row.mean, row.spread, row.seconds) == (0.97, None, 2.0)


def test_kaggles_own_split_is_preferred_to_any_other(monkeypatch):
    sizes = {"sign-language-mnist": 20, "sign-language-mnist-2": 27_455, "mnist": 60_000}
    monkeypatch.setattr(replication.datasets, "names", lambda: list(sizes))
    monkeypatch.setattr(replication.datasets, "load", lambda name: _sized(sizes[name]))
    recipe = RECIPES["asl-cnn-75-50-25"]

    assert data_of(recipe) == ("sign-language-mnist-2", "Sign Language MNIST, Kaggle's split")
    del sizes["sign-language-mnist-2"]
    assert data_of(recipe) == (
        "sign-language-mnist",
        "Sign Language MNIST, not Kaggle's split: 20 to train on, 7 to test on",
    )
    del sizes["sign-language-mnist"]
    assert data_of(recipe).name is None


def _sized(count: int) -> SimpleNamespace:
    return SimpleNamespace(train=SimpleNamespace(labels=range(count)), test=SimpleNamespace(labels=range(7)))


def test_documents_tell_machine_versions_command_and_assumptions(store, tmp_path):
    finish(store, published("ann-100"), 0.97)

    write_report(store, tmp_path / "replication.md", "python -m core replicate --seeds 1")

    text = (tmp_path / "replication.md").read_text()
    assert text.startswith("# Published figures, measured again\n\nWritten by `python -m core replicate --seeds 1` on ")
    assert "torch 2.13.0" in text
    assert replication.machine() in text
    assert all(recipe.assumed in text for recipe in RECIPES.values())


def test_report_is_read_as_it_was_written(store, tmp_path, monkeypatch):
    monkeypatch.setattr(replication, "DOCUMENT", tmp_path / "replication.md")
    assert read_report() is None
    finish(store, published("ann-100"), 0.97)

    write_report(store, replication.DOCUMENT, "python -m core replicate")

    report = read_report()
    assert report.rows == tuple(rows(store))
    assert (report.versions, report.machine) == ({"torch": "2.13.0"}, replication.machine())


@pytest.fixture
def trained(store, tmp_path, monkeypatch) -> list[RunConfig]:
    """What the command trains, though here it is only recorded; it writes no documents but in the test's folder."""
    monkeypatch.setattr(replication, "DOCUMENT", tmp_path / "replication.md")
    configs = []

    def record(config: RunConfig) -> int:
        configs.append(config)
        finish(store, config, 0.97)
        return 0

    monkeypatch.setattr(replication, "train", record)
    return configs


def test_only_missing_runs_are_trained(trained, store, capsys):
    finish(store, published("ann-100"), 0.97)

    assert main(["--recipe", "ann-100", "mlp-512-512", "--seeds", "2"]) == 0

    assert [(config.architecture, config.seed) for config in trained] == [
        ("mlp-512-512", 42),
        ("ann-100", 43),
        ("mlp-512-512", 43),
    ]
    assert main(["--recipe", "ann-100", "mlp-512-512", "--seeds", "2"]) == 0
    assert len(trained) == 3
    assert "| `mlp-512-512` | PyTorch | MNIST | test accuracy after 10 epochs | 0.9710 |" in capsys.readouterr().out
    assert "--recipe ann-100 mlp-512-512 --seeds 2`" in replication.DOCUMENT.read_text()


def test_recipe_is_trained_in_the_other_framework_if_asked_for(trained, capsys):
    main(["--recipe", "ann-100", "--framework", "pytorch", "--json"])

    assert [config.framework for config in trained] == ["pytorch"]
    (row,) = (row for row in json.loads(capsys.readouterr().out) if row["measured"] and "loss" in row["figure"])
    assert (row["recipe"], row["framework"], row["measured"]) == ("ann-100", "pytorch", [0.1])


def test_quick_trial_runs_everything_there_are_data_for_and_writes_nothing(trained, capsys):
    assert main(["--quick"]) == 0

    assert all((config.epochs, config.train_limit) == (1, 2000) for config in trained)
    assert len(trained) == len([r for r in RECIPES.values() if r.reported and r.settings["dataset"] == "mnist"])
    assert not replication.DOCUMENT.exists()
    assert "asl-cnn-75-50-25 is left out: import Sign Language MNIST first." in capsys.readouterr().err


@pytest.mark.parametrize(("code", "ends_with"), [(130, 130), (1, 1)])
@pytest.mark.usefixtures("trained")
def test_interruption_ends_it_and_failure_is_told(code, ends_with, monkeypatch):
    monkeypatch.setattr(replication, "train", lambda _config: code)

    assert main(["--recipe", "ann-100"]) == ends_with


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["--recipe", "slow"], "Recipe (--recipe): expected one of "), (["--seeds", "0"], "Seeds (--seeds): expected a ")],
)
def test_wrong_input_is_refused(arguments, sentence, capsys):
    with pytest.raises(SystemExit):
        main(arguments)

    assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.slow
def test_training_is_that_of_the_train_command(store):
    """The one real training here: three seconds."""
    config = config_of(RECIPES["ann-100"], "pytorch", "mnist", epochs=1, train_limit=100)

    assert train(config) == 0

    (run,) = finished_runs(store, config)
    assert run.config == config
    assert run.title.startswith(f"ann-100 · {FRAMEWORK_TITLES['pytorch']}")


def test_a_training_draws_validation_images_also_where_some_came_with_the_data(monkeypatch):
    given = []
    monkeypatch.setattr(
        replication.subprocess, "run", lambda command, **_: given.extend(command) or SimpleNamespace(returncode=0)
    )

    replication.train(configure(dataset="tiny"))

    assert given[given.index("--validation-part") + 1] == "stratified"
