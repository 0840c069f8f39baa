"""What the recipes reach and what their settings are worth: what is trained for that, and what is told of it."""

import pytest

from benchmarks import ablations, own_recipes
from core.recipes import get_recipe

TABLES = {
    own_recipes: own_recipes.full_configs(get_recipe("fast-99")),
    ablations: ablations.configs(get_recipe("fast-99")),
}


@pytest.mark.parametrize(("module", "configs"), TABLES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_trains_each_config_with_each_seed_and_lists_what_is_missing(module, configs, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(own_recipes, "train", lambda config: trained.append(config) or 0)
    monkeypatch.setattr(module, "DOCUMENT", tmp_path / "table.md")

    assert module.main(["--recipe", "fast-99", "--seeds", "2"]) == 0

    assert trained == [
        config.model_copy(update={"seed": config.seed + later}) for config in configs.values() for later in (0, 1)
    ]
    text = (tmp_path / "table.md").read_text()
    assert f"benchmarks.{module.__name__.removeprefix('benchmarks.')} --recipe fast-99 --seeds 2`" in text
    assert text.count("| `fast-99` |") == len(configs)
    assert "not run yet" in text


def test_a_training_that_fails_ends_the_command_with_its_code(monkeypatch):
    monkeypatch.setattr(own_recipes, "train", lambda _config: 3)

    assert own_recipes.main(["--recipe", "best"]) == 3


@pytest.mark.parametrize("name", own_recipes.OWN)
def test_ablations_change_one_thing_each_and_never_look_at_test_images(name):
    plain, *changed = ablations.configs(get_recipe(name)).values()

    assert len({config.model_dump_json() for config in changed}) == len(changed)
    for config in (plain, *changed):
        assert config.validation_part != "test"
        assert config.device == "auto"  # the GPU where there is one
        assert config != plain or config is plain
