"""A model that is replaced while it is in use: the new one between batches, or the old one on."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from builders import TELCO, CustomerEvent, decode_prediction, event_message
from churnstream.errors import ConfigurationError, ModelError, RegistryError
from churnstream.model.champion import Models
from churnstream.model.manifest import MANIFEST_NAME, save
from churnstream.model.scorer import Model
from churnstream.model.source import Folder, source_of
from churnstream.model.train import TrainedModel
from churnstream.model.watch import ModelWatch
from churnstream.pipeline.offset_window import OffsetWindow
from churnstream.pipeline.scoring import Batch
from churnstream.settings import ModelSettings, Settings
from fakes import FakeDelivery, FakeReader, FakeStop, consumer_of
from pipelines import adopted
from quick import train_quickly
from saved_models import edit, exchange, scoring_file

NEVER = 3600.0  # seconds: tests look themselves


@pytest.fixture(scope="module")
def several(customers: list[CustomerEvent]) -> list[TrainedModel]:
    """Models that are trained in no time, each another one."""
    return [train_quickly(TELCO, customers[:400], seed=seed) for seed in (1, 2, 3)]


@pytest.fixture
def folder(several: list[TrainedModel], tmp_path: Path) -> Path:
    """A folder with the first of them."""
    save(several[0], tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def watch(folder: Path) -> ModelWatch:
    """Looks at the folder when told to."""
    return ModelWatch(Folder(folder), NEVER)


@pytest.fixture
def log() -> Iterator[list[Any]]:
    """What is logged meanwhile."""
    structlog.reset_defaults()
    with capture_logs() as lines:
        yield lines


def events_of(log: list[Any]) -> list[str]:
    """The names of what was logged."""
    return [line["event"] for line in log]


def break_digest(folder: Path) -> None:
    """Announce a model whose terms are not those that its manifest describes."""
    edit(folder, sha256="0" * 64)


def change_reference(folder: Path) -> None:
    """Announce a model that does not reproduce the scores in its manifest."""
    content = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes())
    content["reference"][0]["probability"] += 1e-6
    (folder / MANIFEST_NAME).write_bytes(msgspec.json.encode(content))


def change_threshold(folder: Path) -> None:
    """Announce a model that says No to everybody."""
    edit(folder, threshold=1e308)


def change_schema(folder: Path) -> None:
    """Announce a model of other features."""
    content = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes())
    content["schema"]["fields"]["Age"] = {"type": "integer"}
    (folder / MANIFEST_NAME).write_bytes(msgspec.json.encode(content))


def change_library(folder: Path) -> None:
    """Announce a pipeline that another major scikit-learn has saved."""
    edit(folder, kind="pipeline", libraries={"scikit-learn": "2.0.0"})


def forget_a_term(folder: Path) -> None:
    """Announce a model that knows nothing of one of its fields."""
    terms = msgspec.json.decode(scoring_file(folder).read_bytes())
    del terms["fields"]["tenure"]
    exchange(folder, msgspec.json.encode(terms))


def write_nonsense(folder: Path) -> None:
    """Leave something that is no manifest."""
    (folder / MANIFEST_NAME).write_text("{")


def test_a_new_manifest_is_a_new_model(
    watch: ModelWatch, folder: Path, several: list[TrainedModel], log: list[Any]
) -> None:
    """Until somebody has looked the old model scores; from then on the new one does."""
    before = watch.current().version
    now = save(several[1], folder).version
    assert watch.current().version == before

    watch.look()

    assert watch.current().version == now
    assert (watch.swaps, watch.rejected) == (1, 0)
    assert [(line["event"], line["before"], line["version"]) for line in log] == [
        ("model_swapped", before, now)
    ]


def test_nothing_new_is_nothing_to_do(watch: ModelWatch, log: list[Any]) -> None:
    """The same manifest is the same model."""
    model = watch.current()
    watch.look()
    assert watch.current() is model
    assert (watch.swaps, log) == (0, [])


@pytest.mark.parametrize(
    "breaks",
    [
        break_digest,
        change_reference,
        change_schema,
        change_threshold,
        change_library,
        forget_a_term,
        write_nonsense,
    ],
)
def test_a_broken_model_is_refused(
    breaks: Callable[[Path], None],
    watch: ModelWatch,
    folder: Path,
    several: list[TrainedModel],
    log: list[Any],
) -> None:
    """It is said once and counted once, the old model goes on, and a good one is taken again."""
    model = watch.current()
    save(several[1], folder)
    breaks(folder)

    for _ in range(3):
        watch.look()
        assert watch.current() is model
    assert (watch.rejected, watch.swaps, events_of(log)) == (1, 0, ["model_rejected"])

    now = save(several[2], folder).version
    watch.look()
    assert watch.current().version == now
    assert (watch.rejected, watch.swaps) == (1, 1)


def test_a_folder_that_vanishes(watch: ModelWatch, folder: Path, log: list[Any]) -> None:
    """The model in use goes on, which is said once for each time."""
    model, elsewhere = watch.current(), folder.with_name("elsewhere")
    for _ in range(2):
        folder.rename(elsewhere)
        watch.look()
        watch.look()
        elsewhere.rename(folder)
        watch.look()
    assert watch.current() is model
    assert events_of(log) == ["model_not_looked_up"] * 2
    assert watch.rejected == 0


def test_nothing_to_begin_with(tmp_path: Path) -> None:
    """Without a first model there is nothing to go on with."""
    with pytest.raises(ModelError, match=r"no model in .*; run: churnstream train"):
        ModelWatch(Folder(tmp_path), NEVER)


class Flaky:
    """A registry that hands out models by name, and fails when told to."""

    def __init__(self, models: dict[str, Model], alias: str) -> None:
        self.models, self.alias, self.fails = models, alias, False

    def newest(self) -> str:
        """Where the alias points."""
        return self.alias

    def load(self, name: str) -> Model:
        """The model of that name, unless the registry does not answer."""
        if self.fails:
            raise RegistryError("MLflow: no answer")
        return self.models[name]


def test_what_could_not_be_fetched_is_tried_again(
    several: list[TrainedModel], tmp_path: Path, log: list[Any]
) -> None:
    """A registry that does not answer says nothing of a model: it is not refused but awaited."""
    models = {}
    for name, trained in zip("12", several, strict=False):
        save(trained, tmp_path / name)
        models[name] = Folder(tmp_path / name).load("")
    source = Flaky(models, "1")
    watch = ModelWatch(source, NEVER)
    source.alias, source.fails = "2", True
    watch.look()
    assert (watch.current().version, watch.rejected) == (models["1"].version, 0)

    source.fails = False
    watch.look()
    assert watch.current() is models["2"]
    source.alias = "1"
    watch.look()
    assert watch.current() is models["1"]
    names = ["model_loaded", "model_not_looked_up", "model_swapped", "model_swapped"]
    assert events_of(log) == names


def test_it_looks_by_itself(folder: Path, several: list[TrainedModel]) -> None:
    """In a with-block a thread looks again and again, and ends with it."""
    with ModelWatch(Folder(folder), 0.01) as watch:
        now = save(several[1], folder).version
        deadline = time.monotonic() + 30
        while watch.current().version != now:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    deadline = time.monotonic() + 30
    while any(thread.name == "model-watch" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_batch_is_by_one_model(folder: Path, several: list[TrainedModel]) -> None:
    """A model that is ready while a batch is scored makes the next one; versions never go back."""
    records = [event_message(0, offset, Partner="Yes") for offset in range(30)]
    reader = FakeReader({0: records})
    delivery = FakeDelivery(reader)
    watch = ModelWatch(Folder(folder), NEVER)
    versions = [watch.current().version]

    def promote(_: Batch) -> None:
        if delivery.attempts == 2:
            versions.append(save(several[1], folder).version)
            watch.look()

    consumer = consumer_of(
        reader, delivery, watch.current, OffsetWindow(), batch_size=5, on_batch=promote
    )
    consumer.run(FakeStop(after=40))

    made = [
        [decode_prediction(record["value"] or b"") for record in published.predictions]
        for published in delivery.published
    ]
    assert [len({p.model_version for p in batch}) for batch in made if batch] == [1] * 6
    flat = [prediction for batch in made for prediction in batch]
    assert [p.source_offset for p in flat] == list(range(30))
    assert list(dict.fromkeys(p.model_version for p in flat)) == versions
    assert sorted(flat, key=lambda p: versions.index(p.model_version)) == flat


def test_an_address_of_the_registry_is_no_folder() -> None:
    """Addresses of another form are wrong use."""
    for place in ("models:/telco-churn", "models:/a@b@c", "models:/telco-churn/latest"):
        with pytest.raises(ConfigurationError, match=r"expected models:/NAME@ALIAS"):
            source_of(place)
    assert isinstance(source_of("models"), Folder)


# ---- the models of a consumer ----


def settings(model: Path, **more: Any) -> Settings:
    """Settings that name models."""
    return Settings(model=ModelSettings(path=str(model), refresh=NEVER, **more))


def test_a_model_that_cannot_explain_is_told_of(
    customers: list[CustomerEvent], tmp_path: Path, folder: Path, log: list[Any]
) -> None:
    """Reasons that are asked for and cannot be given: a warning, also after a swap."""
    plain = adopted(customers[:400])
    save(plain, tmp_path / "plain")
    with Models(settings(tmp_path / "plain")):
        pass
    assert [line["log_level"] for line in log if line["event"] == "no_reasons"] == ["warning"]

    log.clear()
    models = Models(settings(folder))
    assert "no_reasons" not in events_of(log)
    save(plain, folder)
    models.champion.look()
    models.champion.current()
    assert "no_reasons" in events_of(log)

    log.clear()
    consumer = Settings().consumer.model_copy(update={"reasons": "none"})
    Models(settings(tmp_path / "plain").model_copy(update={"consumer": consumer}))
    assert "no_reasons" not in events_of(log)


def test_both_models_are_looked_at_where_they_are(
    folder: Path, several: list[TrainedModel], tmp_path: Path
) -> None:
    """A challenger is another model at another place, which may be replaced as well."""
    challenger = shutil.copytree(folder, tmp_path / "challenger")
    version = save(several[1], Path(challenger)).version
    with Models(settings(folder, challenger=str(challenger))) as models:
        assert models.challenger is not None
        assert models.challenger.current().version == version
        assert models.champion.current().version != version
    assert Models(settings(folder)).challenger is None
