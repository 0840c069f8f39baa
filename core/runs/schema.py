"""The tables of the store, as SQLAlchemy describes them; `core.runs.migrations` brings older databases here."""

import sqlalchemy as sa

VERSION = 7

DOWNSAMPLED = ("loss", "accuracy", "gradient_norm")
"""The measurements whose extremes are kept when a curve is downsampled."""

metadata = sa.MetaData()

schema = sa.Table("schema", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))


def _run_id(*, primary_key: bool = False, index: bool = False) -> sa.Column[str]:
    reference = sa.ForeignKey("runs.id", ondelete="CASCADE")
    return sa.Column("run_id", sa.String(12), reference, primary_key=primary_key, index=index)


runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("submission", sa.String(64), nullable=False, unique=True),
    sa.Column("pair", sa.String(12), index=True),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("stop_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("created_at", sa.Float, nullable=False, index=True),
    sa.Column("started_at", sa.Float),
    sa.Column("training_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("heartbeat_at", sa.Float),
    sa.Column("pid", sa.Integer),
    sa.Column("process_started_at", sa.Float),
    sa.Column("step", sa.Integer, nullable=False, default=0),
    sa.Column("total_steps", sa.Integer),
    sa.Column("images_per_second", sa.Float),
    sa.Column("failure", sa.Text),
    sa.Column("advice", sa.Text),
    sa.Column("traceback", sa.Text),
    sa.Column("results", sa.JSON),
    # Since version 2.
    sa.Column("name", sa.String(100)),
    sa.Column("note", sa.Text),
    sa.Column("group", sa.String(12), index=True),
    sa.Column("submitter", sa.String(64)),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("position", sa.Integer, nullable=False, server_default="0", index=True),
    sa.Column("pause_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("resumes", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("resumed_step", sa.Integer, nullable=False, server_default="0"),
    sa.Column("unresponsive", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("process_load", sa.JSON),
    sa.Column("deleted_at", sa.Float),
    # Taken from `config` and `results`, so that lists are filtered and sorted by columns that have an index.
    sa.Column("dataset", sa.String(100), nullable=False, server_default=""),
    sa.Column("architecture", sa.String(100), nullable=False, server_default=""),
    sa.Column("framework", sa.String(16), nullable=False, server_default=""),
    sa.Column("device", sa.String(16), nullable=False, server_default=""),
    sa.Column("test_accuracy", sa.Float),
    # Since version 3.
    sa.Column("cause", sa.String(24)),
    # Since version 7: what the table of runs folds and sorts by, see core.runs.folding.
    sa.Column("settings_key", sa.String(12), nullable=False, server_default=""),
    sa.Column("val_accuracy", sa.Float),
    sa.Column("test_loss", sa.Float),
    sa.Column("train_seconds", sa.Float),
    sa.Column("parameters", sa.Integer),
    sa.Index("ix_runs_rows", "deleted_at", "settings_key", "name", "created_at"),
    sa.Index("ix_runs_best", "deleted_at", "state", "dataset", "settings_key", "name", "val_accuracy"),
    sa.Index("ix_runs_submitter_started_at", "submitter", "started_at"),
    # Lists leave the deleted ones out, so these answer without a look at the rows, which are long.
    *(
        sa.Index(f"ix_runs_deleted_at_{name}", "deleted_at", name)
        for name in ("created_at", "state", "dataset", "architecture", "framework", "test_accuracy")
    ),
)

FROM_CONFIG = ("dataset", "architecture", "framework", "device")
FROM_RESULTS = ("test_accuracy", "val_accuracy", "test_loss", "train_seconds", "parameters")
"""The columns of `runs` that repeat what is in `config` or `results`."""

attempts = sa.Table(
    "attempts",
    metadata,
    _run_id(primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("resumed_step", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failure", sa.Text),
)

tags = sa.Table("tags", metadata, _run_id(primary_key=True), sa.Column("tag", sa.String(40), primary_key=True))
sa.Index("ix_tags_tag", tags.c.tag)

metrics = sa.Table(
    "metrics",
    metadata,
    _run_id(primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("epoch", sa.Float, nullable=False),
    sa.Column("split", sa.String(16), nullable=False),
    sa.Column("loss", sa.Float, nullable=False),
    sa.Column("accuracy", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("images_per_second", sa.Float),
    sa.Column("learning_rate", sa.Float),
    sa.Column("gradient_norm", sa.Float),
)

# The extremes of each full block of a run's measurements: what a long curve is downsampled from.
blocks = sa.Table(
    "metric_blocks",
    metadata,
    _run_id(primary_key=True),
    sa.Column("split", sa.String(16), primary_key=True),
    sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("first", sa.Integer, nullable=False),
    sa.Column("last", sa.Integer, nullable=False),
    *(
        sa.Column(f"{end}_{name}{part}", kind)
        for name in DOWNSAMPLED
        for end in ("low", "high")
        for part, kind in (("", sa.Float), ("_at", sa.Integer))
    ),
)

epochs = sa.Table(
    "epochs",
    metadata,
    _run_id(primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("train_loss", sa.Float, nullable=False),
    sa.Column("train_accuracy", sa.Float, nullable=False),
    sa.Column("val_loss", sa.Float),
    sa.Column("val_accuracy", sa.Float),
    sa.Column("learning_rate", sa.Float),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("confusion", sa.JSON),
)

settings = sa.Table(
    "settings",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
)

# Since version 6. What Optuna knows of the same searches lies in tables of its own: core.studies.search.suggestions.
searches = sa.Table(
    "searches",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("submission", sa.String(64), nullable=False, unique=True),
    sa.Column("specification", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text),
    sa.Column("submitter", sa.String(64)),
    sa.Column("created_at", sa.Float, nullable=False, index=True),
    sa.Column("ended_at", sa.Float),
    sa.Column("spent_s", sa.Float, nullable=False, server_default="0"),
)

search_trials = sa.Table(
    "search_trials",
    metadata,
    sa.Column("search_id", sa.String(12), sa.ForeignKey("searches.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("val_accuracy", sa.Float),
    sa.Column("spread", sa.Float),
    sa.Column("images", sa.Integer, nullable=False, server_default="0"),
    sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Index("ix_search_trials_state", "search_id", "state"),
)

search_runs = sa.Table(
    "search_runs",
    metadata,
    _run_id(primary_key=True),
    sa.Column("search_id", sa.String(12), sa.ForeignKey("searches.id", ondelete="CASCADE"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Index("ix_search_runs_trial", "search_id", "number"),
)
