"""Where studies are kept: an Optuna study, and ovtune's own tables beside it in the same database."""

import contextlib
import json
import uuid
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.trial import TrialState
from sqlalchemy import orm

from ovtune import codec
from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.errors import StorageError, StudyError
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.goal import Goal
from ovtune.measurement import Block, LatencyMetric
from ovtune.study import CONFIRMED_SUFFIX, Phase, Setup, Sides, Study, Visit
from ovtune.workload import ClosedLoop, Workload, searched_under

SCHEMA_VERSION = 1
CONFIG_ATTRIBUTE = "ovtune:config"
REASON_ATTRIBUTE = "ovtune:reason"
LATENCY_ATTRIBUTE = "ovtune:latency"
_ID_ATTRIBUTE = "ovtune:id"
_BUSY_TIMEOUT_S = 60
_KINDS: dict[str, Any] = {"block": Block, "same_as": SameAs, "infeasible": Infeasible, "failed": Failed}


class _Base(orm.DeclarativeBase):
    pass


class _SchemaRow(_Base):
    __tablename__ = "ovtune_schema"
    version: orm.Mapped[int] = orm.mapped_column(primary_key=True)


class _StudyRow(_Base):
    __tablename__ = "ovtune_study"
    id: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    created: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    setup: orm.Mapped[bytes] = orm.mapped_column(sa.LargeBinary)
    goal: orm.Mapped[str] = orm.mapped_column(sa.Text)
    stopped: orm.Mapped[str] = orm.mapped_column(sa.Text, default="")


class _DuelRow(_Base):
    __tablename__ = "ovtune_duel"
    study_id: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("ovtune_study.id"), primary_key=True)
    confirmation: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    sides: orm.Mapped[str] = orm.mapped_column(sa.Text)


class _BlockRow(_Base):
    __tablename__ = "ovtune_block"
    study_id: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("ovtune_study.id"), primary_key=True)
    number: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    phase: orm.Mapped[str] = orm.mapped_column(sa.String(16))
    trial: orm.Mapped[int | None]
    confirmation: orm.Mapped[int]
    round: orm.Mapped[int]
    config: orm.Mapped[str] = orm.mapped_column(sa.Text)
    kind: orm.Mapped[str] = orm.mapped_column(sa.String(16))
    outcome: orm.Mapped[str] = orm.mapped_column(sa.Text)
    samples: orm.Mapped[bytes | None] = orm.mapped_column(sa.LargeBinary)


class _LoadRow(_Base):
    __tablename__ = "ovtune_load"  # a table of its own: databases from before it lack it, and get it
    study_id: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("ovtune_study.id"), primary_key=True)
    number: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    workload: orm.Mapped[str] = orm.mapped_column(sa.Text)


class _BudgetRow(_Base):
    __tablename__ = "ovtune_budget"  # of its own, too, for the same reason
    study_id: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("ovtune_study.id"), primary_key=True)
    budget: orm.Mapped[str] = orm.mapped_column(sa.Text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A line of the list of studies."""

    name: str
    created: str
    model: str
    trials: int
    stopped: str


class Store:
    """The studies in one database.

    Args:
        url: An SQLAlchemy URL.

    Raises:
        StorageError: the database cannot be opened, is none, or was written by a newer ovtune.
    """

    def __init__(self, url: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._shown = _without_password(url)
        sqlite = url.startswith("sqlite")
        with self.guarded():
            try:
                self._storage = optuna.storages.RDBStorage(
                    url, engine_kwargs={"connect_args": {"timeout": _BUSY_TIMEOUT_S}} if sqlite else {}
                )
            except (ImportError, RuntimeError) as error:
                raise self._unusable(error) from error
            self._engine = self._storage.engine
            try:
                if sqlite:
                    with self._engine.connect() as connection:
                        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                _Base.metadata.create_all(self._engine)
                self._check_version()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Lets go of the database."""
        self._storage.remove_session()
        self._engine.dispose()

    def names(self) -> list[str]:
        """The names of ovtune's studies, in the order of their making."""
        with self.guarded():
            studies = self._storage.get_all_studies()
        return [s.study_name for s in studies if _ID_ATTRIBUTE in s.user_attrs]

    def summaries(self) -> list[Summary]:
        """What there is, in the order of its making."""
        found = []
        for name in self.names():
            study = self.load(name)
            found.append(
                Summary(
                    name=name,
                    created=study.created,
                    model=study.setup.model.path,
                    trials=study.trials,
                    stopped=study.stopped,
                )
            )
        return found

    def create(self, name: str, setup: Setup, goal: Goal) -> None:
        """Begins a study.

        Raises:
            StudyError: the name is taken.
        """
        closed = isinstance(searched_under(setup.workload), ClosedLoop)
        with self.guarded():
            self._clear_half_made(name)
            if name in {s.study_name for s in self._storage.get_all_studies()}:
                raise StudyError(f"study {name} exists already: choose another name or delete it")
            identifier = uuid.uuid4().hex
            row = _StudyRow(
                id=identifier,
                name=name,
                created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                setup=zlib.compress(codec.dump(setup, Setup).encode()),
                goal=codec.dump(goal, Goal),
                stopped="",
            )
            with orm.Session(self._engine) as session, session.begin():
                session.add(row)
            study = optuna.create_study(
                storage=self._storage,
                study_name=name,
                directions=["maximize", "minimize"] if closed else ["minimize", "minimize"],
            )
            _name_metrics(study, goal.latency)
            study.set_user_attr(LATENCY_ATTRIBUTE, goal.latency)
            study.set_user_attr(_ID_ATTRIBUTE, identifier)

    def delete(self, name: str) -> None:
        """Deletes a study, its confirmed companion and all its blocks.

        Raises:
            StudyError: there is none of that name.
        """
        identifier = self._identifier(name)
        with self.guarded():
            for each in (name + CONFIRMED_SUFFIX, name):
                with contextlib.suppress(KeyError):
                    optuna.delete_study(study_name=each, storage=self._storage)
            self._forget(identifier)

    def load(self, name: str) -> Study:
        """A study as it stands.

        Raises:
            StudyError: there is none of that name, or it is not one of ovtune's.
        """
        identifier = self._identifier(name)
        with self.guarded(), orm.Session(self._engine) as session:
            known = session.get_one(_StudyRow, identifier)
            blocks = sa.select(_BlockRow).where(_BlockRow.study_id == identifier).order_by(_BlockRow.number)
            duels = sa.select(_DuelRow).where(_DuelRow.study_id == identifier)
            own = sa.select(_LoadRow).where(_LoadRow.study_id == identifier)
            allowed = session.get(_BudgetRow, identifier)
            try:
                loads = {row.number: row.workload for row in session.scalars(own)}
                return Study(
                    name=name,
                    created=known.created,
                    setup=codec.load(zlib.decompress(known.setup), Setup),
                    goal=codec.load(known.goal, Goal),
                    trials=len(self.optuna_study(name).get_trials(deepcopy=False)),
                    stopped=known.stopped,
                    duels={d.confirmation: codec.load(d.sides, Sides) for d in session.scalars(duels).all()},
                    visits=tuple(_visit(row, loads.get(row.number)) for row in session.scalars(blocks).all()),
                    budget=codec.load(allowed.budget, Budget) if allowed is not None else None,
                )
            except (ValueError, zlib.error) as error:
                raise StorageError(
                    f"study {name} in database {self._shown} cannot be read ({str(error).splitlines()[0]}): "
                    "it is damaged, or another version of ovtune wrote it; delete it, or search under another name"
                ) from error

    def optuna_study(self, name: str, sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
        """The Optuna study of that name, to ask and tell."""
        with self.guarded():
            return optuna.load_study(study_name=name, storage=self._storage, sampler=sampler)

    def trial(self, study: optuna.Study, number: int) -> optuna.Trial:
        """A trial of a study that was begun and not told, to go on with."""
        with self.guarded():
            study.get_trials(deepcopy=False)  # Optuna writes to no trial that it has not read
            study_id = self._storage.get_study_id_from_name(study.study_name)
            return optuna.Trial(study, self._storage.get_trial_id_from_study_id_trial_number(study_id, number))

    def explain(self, study: optuna.Study, number: int, reason: str) -> None:
        """Writes beside a trial why it holds no values."""
        with self.guarded():
            self.trial(study, number).set_user_attr(REASON_ATTRIBUTE, reason)

    def record(self, name: str, visit: Visit) -> None:
        """Commits one visit."""
        outcome, samples = visit.outcome, None
        if isinstance(outcome, Block):
            samples, outcome = outcome.samples, replace(outcome, samples=b"")
        kind = next(key for key, type_ in _KINDS.items() if isinstance(outcome, type_))
        row = _BlockRow(
            study_id=self._identifier(name),
            number=visit.number,
            phase=visit.phase,
            trial=visit.trial,
            confirmation=visit.confirmation,
            round=visit.round,
            config=codec.dump(visit.config, Config),
            kind=kind,
            outcome=codec.dump(outcome, _KINDS[kind]),
            samples=samples,
        )
        with self.guarded(), orm.Session(self._engine) as session, session.begin():
            session.add(row)
            if visit.workload is not None:
                load = codec.dump(visit.workload, Workload)
                session.add(_LoadRow(study_id=row.study_id, number=row.number, workload=load))

    def plan_duel(self, name: str, confirmation: int, sides: Sides) -> None:
        """Commits who meets in a confirmation's duel and when it is looked at, before its first pair."""
        row = _DuelRow(study_id=self._identifier(name), confirmation=confirmation, sides=codec.dump(sides, Sides))
        with self.guarded(), orm.Session(self._engine) as session, session.begin():
            session.merge(row)

    def note(self, name: str, *, goal: Goal, budget: Budget, stopped: str) -> None:
        """Commits the goal of the search that runs, what it may take, and why it ended; "" while it runs."""
        identifier = self._identifier(name)
        with self.guarded(), orm.Session(self._engine) as session, session.begin():
            row = session.get_one(_StudyRow, identifier)
            row.goal, row.stopped = codec.dump(goal, Goal), stopped
            session.merge(_BudgetRow(study_id=identifier, budget=codec.dump(budget, Budget)))

    def confirm(
        self, name: str, finalists: Sequence[tuple[Config, tuple[float, float]]], *, latency: LatencyMetric
    ) -> None:
        """Writes the confirmed values of the finalists as the study ``NAME.confirmed``, in the place of older ones."""
        study = self.optuna_study(name)
        own = {str(t.user_attrs.get(CONFIG_ATTRIBUTE)): t for t in study.get_trials(deepcopy=False)}
        with self.guarded():
            with contextlib.suppress(KeyError):
                optuna.delete_study(study_name=name + CONFIRMED_SUFFIX, storage=self._storage)
            confirmed = optuna.create_study(
                storage=self._storage, study_name=name + CONFIRMED_SUFFIX, directions=study.directions
            )
            _name_metrics(confirmed, latency)
            for config, values in finalists:
                trial = own.get(config.key)
                confirmed.add_trial(
                    optuna.trial.create_trial(
                        state=TrialState.COMPLETE,
                        values=values,
                        params=trial.params if trial else {},
                        distributions=trial.distributions if trial else {},
                        user_attrs={CONFIG_ATTRIBUTE: config.key},
                    )
                )

    def _forget(self, identifier: str) -> None:
        """Deletes ovtune's own rows of a study."""
        with orm.Session(self._engine) as session, session.begin():
            for table in (_BlockRow, _LoadRow, _DuelRow, _BudgetRow):
                session.execute(sa.delete(table).where(table.study_id == identifier))
            session.execute(sa.delete(_StudyRow).where(_StudyRow.id == identifier))

    def _clear_half_made(self, name: str) -> None:
        """Removes what an ovtune that was killed while it made or deleted the study ``name`` has left of it."""
        with orm.Session(self._engine) as session:
            left = list(session.scalars(sa.select(_StudyRow.id).where(_StudyRow.name == name)))
        found = next((s for s in optuna.get_all_study_summaries(self._storage) if s.study_name == name), None)
        if not left or (found is not None and (_ID_ATTRIBUTE in found.user_attrs or found.n_trials > 0)):
            return
        if found is not None:
            optuna.delete_study(study_name=name, storage=self._storage)
        for identifier in left:
            self._forget(identifier)

    def _identifier(self, name: str) -> str:
        with self.guarded():
            try:
                study_id = self._storage.get_study_id_from_name(name)
            except KeyError as error:
                known = ", ".join(self.names()) or "there are none yet"
                raise StudyError(f"study {name} does not exist ({known}): name another, or search first") from error
            attributes = self._storage.get_study_user_attrs(study_id)
        if _ID_ATTRIBUTE not in attributes:
            raise StudyError(f"study {name} was not made by ovtune: choose another name")
        return str(attributes[_ID_ATTRIBUTE])

    def _check_version(self) -> None:
        with orm.Session(self._engine) as session, session.begin():
            row = session.scalars(sa.select(_SchemaRow)).first()
            if row is None:
                session.add(_SchemaRow(version=SCHEMA_VERSION))
            elif row.version > SCHEMA_VERSION:
                raise StorageError(
                    f"database {self._shown} has schema {row.version}, "
                    f"this ovtune knows {SCHEMA_VERSION}: upgrade ovtune"
                )

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turns what the database raises inside the ``with`` block, Optuna's own calls included, into StorageError."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StorageError:
        cause = getattr(error, "orig", None) or error.__cause__ or error
        text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        return StorageError(
            f"database {self._shown} cannot be used ({text}): check its path, its permissions, and what it is"
        )


def file_url(path: Path) -> str:
    """The URL of an SQLite database at ``path``, whatever characters it holds."""
    return sa.URL.create("sqlite", database=str(path.resolve())).render_as_string(hide_password=False)


def _without_password(url: str) -> str:
    try:
        return sa.engine.make_url(url).render_as_string(hide_password=True)
    except (sa.exc.ArgumentError, ValueError):
        return url


def _name_metrics(study: optuna.Study, latency: LatencyMetric) -> None:
    """Names the objectives for optuna-dashboard, by a call that Optuna still calls experimental."""
    closed = study.directions[0] == optuna.study.StudyDirection.MAXIMIZE
    names = ["throughput per s" if closed else "CPU ms per inference", f"{latency} latency ms"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(names)


def _visit(row: _BlockRow, load: str | None) -> Visit:
    outcome: Outcome = codec.load(row.outcome, _KINDS[row.kind])
    if isinstance(outcome, Block):
        outcome = replace(outcome, samples=row.samples or b"")
    phase: Phase = codec.load(json.dumps(row.phase), Phase)
    return Visit(
        number=row.number,
        phase=phase,
        trial=row.trial,
        confirmation=row.confirmation,
        round=row.round,
        config=codec.load(row.config, Config),
        outcome=outcome,
        workload=codec.load(load, Workload) if load is not None else None,
    )
