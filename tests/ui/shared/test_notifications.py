"""Which ends a visitor is told of. The notification itself is tested in a real browser."""

from core.config import configure
from core.runs import Results, Store, new_id
from tests.page import page_at


def begin(store: Store, name: str) -> str:
    return store.create(configure(), submission=new_id(), name=name, claimed=True)


def test_only_ends_that_were_waited_for_are_told_once_each(store: Store) -> None:
    store.finish(begin(store, "before"), 1, "done", Results(test_accuracy=0.5))
    done, failed, stopped = (begin(store, name) for name in ("done", "failed", "stopped"))
    page = page_at("replication").run()
    assert page.session_state["notifications-ended"] == []

    store.finish(done, 1, "done", Results(test_accuracy=0.912345))
    store.fail(failed, 1, failure="Out of memory.", advice="Use less.", cause="out_of_memory")
    store.finish(stopped, 1, "stopped", Results())
    page.run()
    page.run()

    told = {each["title"]: each["body"] for each in page.session_state["notifications-ended"]}
    assert told == {"done: done": "Test accuracy 91.23%.", "failed: failed: out of memory": "Out of memory."}
    assert len({each["id"] for each in page.session_state["notifications-ended"]}) == 2
    assert not page.exception


def test_next_attempt_is_told_again(store: Store) -> None:
    run_id = begin(store, "again")
    page = page_at().run()
    store.fail(run_id, 1, failure="Killed.", advice="")
    page.run()
    store.retry(run_id)
    page.run()
    store.claim(run_id)
    store.fail(run_id, 2, failure="Killed.", advice="")
    page.run()

    assert [each["id"] for each in page.session_state["notifications-ended"]] == [f"{run_id}.1", f"{run_id}.2"]
