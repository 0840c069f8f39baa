"""What runs measure: the points of their curves, and a record an epoch."""

import sqlalchemy as sa

from core.runs.changes import give_sign
from core.runs.database import Database
from core.runs.downsampling import add_blocks, chosen_points, forget_blocks
from core.runs.run import Request
from core.runs.schema import epochs, metrics
from core.training.records import Epoch, StepMetrics

_POINT = [metrics.c.sequence, *(metrics.c[name] for name in StepMetrics._fields)]


class Measurements(Database):
    """The part of the store that is about measurements. Those of a run are numbered from 1, without a gap."""

    def add_metrics(
        self, run_id: str, attempt: int, first: int, points: list[StepMetrics], load: dict[str, float] | None = None
    ) -> Request | None:
        """Append measurements numbered from `first`, and move the run's progress on.

        It is a heartbeat, too, like `Store.beat`: with what the process uses, it returns what the run has been
        asked to do.
        """
        speed = [point.images_per_second for point in points if point.images_per_second]
        values: dict[str, float] = {"step": points[-1].step}
        if speed:
            values["images_per_second"] = speed[-1]
        with self._engine.begin() as connection:
            request = give_sign(connection, run_id, attempt, ("running",), load, **values)
            connection.execute(
                metrics.insert(),
                [
                    {"run_id": run_id, "sequence": number, **point._asdict()}
                    for number, point in enumerate(points, start=first)
                ],
            )
            add_blocks(connection, run_id, first - 1, first - 1 + len(points))
        self._shorten_log()
        return request

    def metrics(self, run_id: str, after: int = 0, limit: int = 100_000) -> list[tuple[int, StepMetrics]]:
        """Return a run's measurements with their numbers, in order, those up to `after` left out.

        A next attempt takes back those after the step that it goes on from: read anew when `Run.attempt` has changed.
        """
        query = (
            sa.select(*_POINT)
            .where(metrics.c.run_id == run_id, metrics.c.sequence > after)
            .order_by(metrics.c.sequence)
            .limit(limit)
        )
        with self._reading() as connection:
            return [(row[0], StepMetrics(*row[1:])) for row in connection.execute(query)]

    def curve(self, run_id: str, split: str, buckets: int = 400) -> list[tuple[int, StepMetrics]]:
        """Return a run's measurements on one split, thinned to at most six a bucket, with their numbers, in order.

        In each bucket the points with the lowest and highest loss, accuracy and gradient norm are kept, so no spike
        is lost and the best epoch always there; so are the first and the last point.

        Args:
            split: "train" or "validation".
            buckets: how many parts of equally many measurements, 1 to 2,000.
        """
        if not 1 <= buckets <= 2000:
            raise ValueError(f"Buckets: expected 1 to 2,000, received {buckets}.")
        with self._reading() as connection:
            chosen = chosen_points(connection, run_id, split, buckets)
            query = (
                sa.select(*_POINT)
                .where(metrics.c.run_id == run_id, metrics.c.sequence.in_(chosen))
                .order_by(metrics.c.sequence)
            )
            return [(row[0], StepMetrics(*row[1:])) for row in connection.execute(query)]

    def curves(self, run_id: str, buckets: int = 400) -> list[tuple[int, StepMetrics]]:
        """Return the curves of a run on both splits, each thinned by `curve`, with their numbers, in order.

        It is complete up to its last number, so what is measured later is `metrics` after that.
        """
        training = self.curve(run_id, "train", buckets)
        last = training[-1][0] if training else 0
        # Meanwhile there may be more: whatever comes after the last one here is read as it is.
        validation = [each for each in self.curve(run_id, "validation", buckets) if each[0] <= last]
        return [*sorted(training + validation), *self.metrics(run_id, after=last)]

    def add_epoch(self, run_id: str, attempt: int, epoch: Epoch) -> None:
        """Append the record of an epoch."""
        with self._engine.begin() as connection:
            give_sign(connection, run_id, attempt, ("running",))
            connection.execute(epochs.insert().values(run_id=run_id, **epoch._asdict()))

    def epochs(self, run_id: str, after: int = 0, *, matrices: bool = True) -> list[Epoch]:
        """Return the records of a run's epochs, in order, those up to epoch `after` left out.

        Args:
            matrices: whether the confusion matrices are read, which are most of it; else they are None.
        """
        columns = (
            epochs.c[name] if matrices or name != "confusion" else sa.null().label(name) for name in Epoch._fields
        )
        query = sa.select(*columns).where(epochs.c.run_id == run_id, epochs.c.epoch > after).order_by(epochs.c.epoch)
        with self._reading() as connection:
            return [Epoch(*row) for row in connection.execute(query)]


def forget_after(connection: sa.Connection, run_id: str, step: int) -> int:
    """Delete a run's measurements after a step; return how many are kept."""
    connection.execute(metrics.delete().where(metrics.c.run_id == run_id, metrics.c.step > step))
    connection.execute(epochs.delete().where(epochs.c.run_id == run_id, epochs.c.step > step))
    kept = connection.scalar(sa.select(sa.func.max(metrics.c.sequence)).where(metrics.c.run_id == run_id)) or 0
    forget_blocks(connection, run_id, kept)
    return kept
