"""A new recipe is one entry of `core.recipes.RECIPES`."""

from tests.contributing.copying import copy_project, insert, run_tests

ENTRY = """        Recipe(
            name="tried-recipe",
            description="A dense network and a rate that falls, in a minute.",
            settings={
                "dataset": "mnist",
                "architecture": "ann-100",
                "optimizer": "sgd",
                "learning_rate": 0.05,
                "schedule": "cosine",
                "batch_size": 32,
                "epochs": 2,
            },
            source="Duet's own",
        ),
"""


def test_a_new_recipe_is_one_entry(tmp_path):
    project = copy_project(tmp_path)
    insert(project / "core/recipes.py", '        Recipe(\n            name="quick",\n', ENTRY)

    passed = run_tests(project, "tried-recipe", "tests/test_recipes.py")

    assert {test.rpartition(".")[2] for test in passed} >= {
        "test_is_found_by_its_name_and_explained[tried-recipe]",
        "test_learns_in_either_framework[pytorch-tried-recipe]",
        "test_learns_in_either_framework[keras-tried-recipe]",
    }
