"""Hypothesis' state machines: so many sequences, or as many as it takes for so many steps.

    class Machine(CountedMachine): ...
    run_sequences(Machine, examples=15, steps=30)
    run_steps(Machine, 5000)

Hypothesis ends most sequences early, so a number of sequences says little of how many steps were taken.
"""

from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

_SEQUENCES, _STEPS = 20, 60
"""How many sequences, of how many steps at the most, come between two looks at how many steps were taken."""


class CountedMachine(RuleBasedStateMachine):
    """One that counts the steps of all its sequences.

    Attributes:
        taken: the steps after which the invariants were looked at.
    """

    taken: ClassVar[int] = 0

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.taken = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).taken -= 1  # invariants are looked at before the first step, too

    @invariant()
    def a_step_was_taken(self) -> None:
        type(self).taken += 1


def run_sequences(machine: type[CountedMachine], *, examples: int, steps: int, shorten: bool = True) -> None:
    """Run so many sequences of so many steps at the most; `shorten` is whether to look for the shortest that fails.

    Raises:
        AssertionError: if an invariant is violated.
    """
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=not shorten,
            phases=[Phase.generate, *([Phase.shrink] if shorten else [])],
            suppress_health_check=list(HealthCheck),
        ),
    )


def run_steps(machine: type[CountedMachine], count: int) -> None:
    """Run sequences until so many steps were taken, and print how many there were.

    Raises:
        AssertionError: if an invariant is violated.
    """
    before = machine.taken
    while machine.taken - before < count:
        run_sequences(machine, examples=_SEQUENCES, steps=_STEPS)
    print(f"{machine.__module__}: {machine.taken - before:,} steps")
