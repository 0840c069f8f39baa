"""A new data set to fetch is one entry of `core.datasets.catalogue`."""

from tests.contributing.copying import copy_project, insert, run_tests

ENTRY = """    Entry(
        _specification("tried-letters", "Tried letters", tuple(string.ascii_lowercase), "Nobody: Letters, 2026", "CC0"),
        "EMNIST",
        10,
        {"split": "letters"},
        first_label=1,
    ),
"""


def test_a_new_data_set_is_one_entry(tmp_path):
    project = copy_project(tmp_path)
    insert(project / "core/datasets/catalogue.py", ")\n\nCATALOGUE", ENTRY)

    passed = run_tests(project, "tried-letters", "tests/datasets/test_fetching.py")

    assert {test.rpartition(".")[2] for test in passed} == {"test_every_entry_says_where_it_comes_from[tried-letters]"}
