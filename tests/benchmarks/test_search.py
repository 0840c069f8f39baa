"""The benchmark of searches: that its made problem is what it says, and that a part of it runs."""

import pytest

from benchmarks import search
from core.config import configure
from core.runs import Store
from core.studies.search.space import grid_point, grid_size
from core.studies.search.specification import specify


@pytest.mark.slow
def test_a_search_of_the_made_problem_comes_near_its_best(store: Store):
    specification = specify(configure(seed=0), search._VARIED, sampler="tpe", trials=search.TRIALS)
    accuracies = sorted(
        search.made_accuracy(grid_point(specification.space, number))
        for number in range(grid_size(specification.space))
    )
    assert (len(accuracies), accuracies[-1] > accuracies[-2] + search.POINTS) == (60, True)

    found = search._search_made(store, specification)

    assert len(found) == search.TRIALS
    assert max(found) >= accuracies[-1] - search.POINTS
