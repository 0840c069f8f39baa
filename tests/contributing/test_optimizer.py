"""A new optimizer is one module of `core.config.optimizers`."""

from tests.contributing.copying import copy_project, run_tests

ENTRY = '''"""Gradient descent, without anything that is remembered."""

from core.config.optimizer import Optimizer

OPTIMIZER = Optimizer(
    name="gradient_descent",
    title="Gradient descent",
    description="goes against the gradient, and remembers nothing.",
    learning_rate=0.05,
    pytorch="SGD",
    keras="SGD",
    framework_rates=(0.001, 0.01),
    implementation="fused",
    capturable=False,
)
'''


def test_a_new_optimizer_is_one_module(tmp_path):
    project = copy_project(tmp_path)
    (project / "core/config/optimizers/gradient_descent.py").write_text(ENTRY)

    passed = run_tests(
        project,
        "gradient_descent",
        "tests/test_config.py",
        "tests/engines/test_aligned.py",
        "tests/engines/test_framework_defaults.py",
        "tests/engines/test_settings.py",
        "tests/export/test_scripts.py",
    )

    for test in (
        "test_every_optimizer_is_offered_and_explained",
        "test_aligned_engines_take_the_same_steps",
        "test_optimizers_have_the_defaults_that_are_told",
        "test_every_optimizer_learns_at_its_usual_rate",
        "test_goes_on_from_a_state_bit_for_bit",
        "test_optimizer_is_made_as_the_engines_make_it",
    ):
        assert any(f".{test}[" in each for each in passed), test
