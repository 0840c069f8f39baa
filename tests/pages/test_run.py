"""One run on the Results page, without a browser: what can be done with it, how a failure is told, its log."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.config import configure
from core.datasets import load
from core.jobs.failures import CAUSES
from core.runs import Store, new_id
from core.system.paths import run_directory
from core.training import checkpoints
from tests.damages import DAMAGED_STATES, keep_state
from tests.page import page_at, plain
from tests.runs.making import LIVING, finished_results, running
from ui.shared.run_annotations import safe_note

CONFIG = configure(architecture="ann-100", batch_size=64, learning_rate=0.05)
SCRIPT = "<script>alert(1)</script>"


def run_page(run_id: str) -> AppTest:
    return page_at("results", run=run_id).run()


def failed(store: Store, cause: str | None = "out_of_memory", traceback: str | None = None, **options) -> str:
    run_id = store.create(CONFIG, submission=new_id(), claimed=True, **options)
    store.fail(run_id, 1, failure="It failed.", advice="Do better.", cause=cause, traceback=traceback)
    return run_id


def click(page: AppTest, label: str) -> AppTest:
    page = next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


@pytest.mark.parametrize(("cause", "words"), CAUSES.items())
def test_each_failure_says_what_it_is(store: Store, cause: str, words: str) -> None:
    page = run_page(failed(store, cause))

    assert not page.exception
    assert f"PyTorch failed: {words}." in page.error[0].value
    assert [button for button in page.button if (button.key or "").startswith("next-")]


def test_what_happened_is_not_said_twice(store: Store) -> None:
    run_id = store.create(CONFIG, submission=new_id(), claimed=True)
    store.fail(run_id, 1, failure="Out of memory.", advice="Use less.", cause="out_of_memory")

    assert run_page(run_id).error[0].value == r"**PyTorch failed: out of memory.** Use less\."


def test_half_the_batch_is_one_click(store: Store) -> None:
    run_id = failed(store)

    page = click(run_page(run_id), "Halve the batch size to 32 and train again")

    (clone,) = store.find(states=("queued",))
    assert clone.config == CONFIG.model_copy(update={"batch_size": 32})
    assert page.query_params["run"] == clone.id

    page = click(run_page(run_id), "Halve the batch size to 32 and train again")  # as from another tab
    assert store.count() == 2
    assert page.query_params["run"] == clone.id


def test_diverged_run_goes_on_more_slowly_from_its_best_weights(store: Store) -> None:
    run_id = failed(store, "diverged")
    run_directory(run_id).mkdir(parents=True)
    (run_directory(run_id) / "checkpoint.json").write_text("{}")

    click(run_page(run_id), "Lower the learning rate to 0.005 and go on from the best weights")

    (clone,) = store.find(states=("queued",))
    assert (clone.config.learning_rate, clone.config.initial_weights) == (0.005, run_id)


def test_killed_run_is_resumed_where_it_kept_a_state(store: Store) -> None:
    run_id = failed(store, "killed")
    assert "Try again" in [button.label for button in run_page(run_id).button]
    keep_state(run_id, CONFIG)

    click(run_page(run_id), "Resume from step 0")

    assert (store.get(run_id).state, store.get(run_id).resumes) == ("queued", True)


def test_run_whose_state_is_damaged_says_so_where_it_was_to_be_resumed(store: Store) -> None:
    run_id = failed(store, "killed")
    keep_state(run_id, CONFIG)
    DAMAGED_STATES["an empty state"](run_directory(run_id))

    page = click(run_page(run_id), "Resume from step 0")

    (toast,) = page.toast
    assert plain(toast.value).startswith(f"Run {run_id}: state-")
    assert "is damaged; train it again." in plain(toast.value)
    assert store.get(run_id).state == "failed"


def test_settings_can_be_changed(store: Store) -> None:
    page = click(run_page(failed(store, "refused")), "Change the settings")

    assert page.session_state["settings"]["learning_rate"] == 0.05
    assert page.title[0].value == "Train"


def test_run_is_named_tagged_and_annotated(store: Store) -> None:
    run_id = failed(store)
    page = run_page(run_id)

    page.text_input(key=f"label-{run_id}-0-name").set_value(SCRIPT)
    page.text_input(key=f"label-{run_id}-0-new-tags").set_value("thesis, of two  words,")
    page.text_area(key=f"label-{run_id}-0-note").set_value(f"# Mine\n{SCRIPT}")
    page = click(page, "Save")

    run = store.get(run_id)
    assert (run.name, run.tags, run.note) == (SCRIPT, ("of two words", "thesis"), f"# Mine\n{SCRIPT}")
    assert page.title[0].value == r"\<script\>alert\(1\)\<\/script\>"
    assert not any(element.proto.allow_html for element in page.markdown)

    assert page.text_input(key=f"label-{run_id}-1-new-tags").value == ""
    page.multiselect(key=f"label-{run_id}-1-tags").set_value([])
    click(page, "Save")
    assert store.get(run_id).tags == ()


def test_too_long_a_name_is_refused_with_a_sentence(store: Store) -> None:
    run_id = failed(store)
    page = run_page(run_id)
    page.text_input(key=f"label-{run_id}-0-name").set_value("x" * 101)

    page = click(page, "Save")

    assert any("Name: expected at most 100 characters" in plain(error.value) for error in page.error)


def test_pair_is_changed_as_one(store: Store) -> None:
    first, second = (failed(store, pair="0123456789ab") for _ in range(2))
    page = run_page(first)
    page.text_input(key=f"label-{first}-0-name").set_value("both")
    page = click(page, "Save")
    assert [store.get(run_id).name for run_id in (first, second)] == ["both", "both"]

    page.button(key="header-delete").click().run()
    page.button(key="delete-confirmed").click().run()
    assert store.count() == 0

    page = run_page(second)
    assert "deleted" in page.warning[0].value
    click(page, "Restore")
    assert store.count() == 2


def test_stopped_run_begins_again(store: Store) -> None:
    run_id = store.create(CONFIG, submission=new_id())
    store.request_stop(run_id)

    click(run_page(run_id), "Restart")

    assert (store.get(run_id).state, store.get(run_id).resumes) == ("queued", False)


def test_run_that_trains_can_be_paused_but_not_deleted(store: Store) -> None:
    run_id = store.create(CONFIG, submission=new_id(), claimed=True)
    store.enter(run_id, 1, **LIVING)
    store.begin(run_id, 1, total_steps=10)
    page = run_page(run_id)
    assert "Delete" not in [button.label for button in page.button]

    click(page, "Pause")

    assert store.get(run_id).pause_requested


def test_silent_run_says_so_and_what_to_do(store: Store) -> None:
    run_id = store.create(CONFIG, submission=new_id(), claimed=True)
    store.enter(run_id, 1, **LIVING)
    store.begin(run_id, 1, total_steps=10)
    store.mark_unresponsive(run_id, 1)

    page = run_page(run_id)

    assert not page.exception
    assert any("no heartbeat" in caption.value for caption in page.caption)
    assert "Stop" in [button.label for button in page.button]


def test_attempts_are_listed_when_there_was_more_than_one(store: Store) -> None:
    run_id = failed(store)
    assert not [each for each in run_page(run_id).expander if "attempts" in each.label]
    store.resume(run_id)
    store.claim(run_id)
    store.enter(run_id, 2, **LIVING)
    store.begin(run_id, 2, total_steps=100, step=40)

    page = run_page(run_id)

    (attempts,) = [each for each in page.expander if "attempts" in each.label]
    first, second = (line.value for line in attempts.markdown)
    assert "from the beginning, failed: It failed" in first.replace("\\", "")
    assert "resumed from step 40, running" in second


def test_log_is_read_when_it_is_opened_and_grows(store: Store) -> None:
    run_id = store.create(CONFIG, submission=new_id(), claimed=True)
    log = run_directory(run_id) / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text(f"{SCRIPT}\n")
    page = run_page(run_id)
    assert not page.code

    page = page_at("results", run=run_id, view="Log").run()
    assert page.code[0].value == SCRIPT

    with log.open("a") as file:
        file.write("more\n")
    page.run()
    assert page.code[0].value == f"{SCRIPT}\nmore"
    assert not page.exception


def test_traceback_is_text(store: Store) -> None:
    page = run_page(failed(store, "error", traceback=f"Traceback {SCRIPT}"))

    assert page.code[0].value == f"Traceback {SCRIPT}"
    assert page.code[0].language in (None, "", "plaintext")


def test_note_fetches_no_picture() -> None:
    assert safe_note("![x](http://example.org/x.png) and ![y][z]") == r"\![x](http://example.org/x.png) and \![y][z]"


def test_run_that_learnt_nothing_says_so_and_trains_again(store: Store) -> None:
    run_id = done_at_chance(store)

    page = run_page(run_id)
    assert [badge.value for badge in page.markdown if "done, but it is no better than guessing" in badge.value]
    (warning,) = (plain(each.value) for each in page.warning)
    assert "The learning rate of 10 is too high" in warning

    page = click(page, "Train again with learning rate 0.01")
    (clone,) = store.find(states=("queued",))
    assert clone.config.learning_rate == 0.01
    assert page.query_params["run"] == clone.id


def done_at_chance(store: Store) -> str:
    """Return a run of a rate of 10 that is done and has learnt nothing."""
    config = configure(architecture="ann-100", learning_rate=10, batch_size=64)
    run_id, attempt = running(store, new_id(), config)
    matrix = [[10] * 10] * 10
    store.finish(
        run_id,
        attempt,
        "done",
        finished_results(test_accuracy=0.1, confusion=matrix, fingerprint=load("mnist").fingerprint),
    )
    labels, predicted = np.repeat(np.arange(10), 100), np.tile(np.arange(10), 100)
    probabilities = (np.full((1000, 10), 0.09) + 0.1 * np.eye(10)[predicted]).astype(np.float32)
    run_directory(run_id).mkdir(parents=True)
    checkpoints.write_arrays(
        run_directory(run_id) / "test.safetensors", {"probabilities": probabilities, "labels": labels}
    )
    return run_id
