"""Pages under random sequences of visits and presses in two tabs, beside a model of what may come of them.

The store and the pages are Duet's own; nobody works off the queue, and what happens to a run is a rule of its own.
"""

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from streamlit.testing.v1 import AppTest

from core.config import RunConfig
from core.jobs.scheduler import submit
from core.recipes import get_recipe
from core.runs import ACTIVE, INACTIVE, Results, Store, new_id
from core.system.paths import data_dir
from tests.page import page_at
from tests.stepping import CountedMachine, run_sequences, run_steps
from ui.shared.run_actions import ACTIONS

CHOICE = st.integers(0, 1_000_000)
TAB = st.integers(0, 1)
_QUICK = get_recipe("quick").settings
_MOVES = ("", "train", "results", "compare", "predict")
_PRESSED = ("Stop", "Pause", "Resume", "Restart", "Restore")


class Machine(CountedMachine):
    """Two tabs; after each step no page shows an exception, and there are just the runs that were launched."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(f"sqlite:///{data_dir() / f'{new_id()}.sqlite3'}")
        self.expected = 0
        self.tabs: list[AppTest] = []
        self.places = ["", ""]
        self.patches = [
            patch("core.jobs.scheduler.spawn", lambda *_arguments, **_options: None),
            patch("core.system.background.spawn", lambda *_arguments, **_options: None),
            patch("core.jobs.deaths.START_DEADLINE_S", float("inf")),
            patch("ui.shared.launching._DOUBLE_CLICK_S", -1.0),
            patch("core.runs.store._opened", lambda _url: self.store),
            # An `AppTest` knows no pages yet when the callbacks of a press run.
            patch("streamlit.switch_page", lambda *_arguments, **_options: None),
        ]
        for each in self.patches:
            each.start()

    def teardown(self) -> None:
        for each in self.patches:
            each.stop()
        self.store.close()

    @initialize()
    def open_tabs(self) -> None:
        self.tabs = [page_at("home").run() for _ in range(2)]

    @rule(tab=TAB, name=st.sampled_from(_MOVES))
    def go(self, tab: int, name: str) -> None:
        self.tabs[tab] = self.tabs[tab].switch_page(f"../pages/{name or 'home'}.py").run()
        self.places[tab] = name

    @rule(tab=TAB)
    def train_both(self, tab: int) -> None:
        """Press the button of Home: a pair comes of it, unless one like it still goes on."""
        if self.places[tab]:
            return
        page = self.tabs[tab]
        pending = self.store.find(states=("queued", *ACTIVE), limit=1000)
        going_on = any(run.config.architecture == _QUICK["architecture"] for run in pending)
        next(button for button in page.button if button.label == "Train both now").click().run()
        self.expected += 0 if going_on else 2

    @rule(tab=TAB, framework=st.sampled_from(["Both", "PyTorch"]))
    def launch(self, tab: int, framework: str) -> None:
        """Press *Launch*: what is chosen is queued, once as long as it waits."""
        self.go(tab, "train")
        page = self.tabs[tab]
        page.segmented_control(key="frameworks").set_value(framework).run()
        before = {run.id for run in self.store.find(limit=1000, deleted=None)}
        page.button(key="launch").click().run()
        after = {run.id for run in self.store.find(limit=1000, deleted=None)} - before
        assert len(after) in (0, 2 if framework == "Both" else 1), "Launch queued something else than was chosen."
        if not after:
            assert any(run.state == "queued" for run in self.store.find(limit=1000)), "Launch did nothing, unsaid."
        self.expected += len(after)

    @rule(tab=TAB, choice=CHOICE)
    def press(self, tab: int, choice: int) -> None:
        """Press a button of a run, which the other tab may have changed meanwhile."""
        offered = [button for button in self.tabs[tab].button if button.label in _PRESSED and not button.disabled]
        if offered:
            self.tabs[tab] = offered[choice % len(offered)].click().run()

    @rule(tab=TAB, choice=CHOICE)
    def open_run(self, tab: int, choice: int) -> None:
        known = self.store.find(limit=1000, deleted=None)
        if known:
            self.tabs[tab] = page_at("results", run=known[choice % len(known)].id).run()
            self.places[tab] = "run"

    @rule(choice=CHOICE, end=st.sampled_from(["start", "failed", "stopped"]))
    def work(self, choice: int, end: str) -> None:
        """Start or end a run, as the scheduler and its process would."""
        if end == "start":
            if waiting := self.store.queue():
                self.store.claim(waiting[choice % len(waiting)].id)
        elif active := self.store.find(states=ACTIVE, limit=1000):
            run = active[choice % len(active)]
            if end == "failed":
                self.store.fail(run.id, run.attempt, failure="It failed.", advice="Use less.", cause="out_of_memory")
            else:
                self.store.finish(run.id, run.attempt, "stopped", Results())

    @rule(choice=CHOICE)
    def delete(self, choice: int) -> None:
        resting = self.store.find(states=INACTIVE, limit=1000)
        if resting:
            self.store.delete(resting[choice % len(resting)].id)

    @invariant()
    def nothing_was_raised_and_nothing_came_unasked(self) -> None:
        for tab in self.tabs:
            assert not tab.exception, tab.exception[0].value
        assert self.store.count(deleted=None) == self.expected


@pytest.mark.slow
def test_pages_do_what_the_model_says():
    run_sequences(Machine, examples=4, steps=20)


@pytest.mark.exhaustive
def test_pages_do_what_the_model_says_in_five_thousand_steps():
    run_steps(Machine, 5000)


def _submit_half(store: Store, configs: Sequence[RunConfig], **options: Any) -> list[str]:
    return submit(store, configs[:1], **options) * len(configs)


def _submit_twice(store: Store, configs: Sequence[RunConfig], **options: Any) -> list[str]:
    submit(store, configs, **options | {"submission": new_id()})
    return submit(store, configs, **options)


def _raise(_store: Store, run_id: str) -> None:
    raise RuntimeError(f"Run {run_id} cannot be stopped.")


FAULTS = {
    "half of a pair is lost": patch("ui.shared.launching.submit", _submit_half),
    "a launch queues its runs twice": patch("ui.shared.launching.submit", _submit_twice),
    "what the store raises reaches the page": patch.dict(ACTIONS, stop=ACTIONS["stop"]._replace(act=_raise)),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_planted_fault_is_found(fault: Any) -> None:
    with fault, pytest.raises(AssertionError):
        run_sequences(Machine, examples=50, steps=30, shorten=False)
