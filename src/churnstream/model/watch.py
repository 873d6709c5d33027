"""A model that may be replaced while it is in use: looked for in the background, taken in between.

A thread of its own looks at the source every so often and loads what is new there, with every
check that loading has. The one who scores asks for the model between two batches and waits for
nothing: the new one is ready by then, or the old one goes on.
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from churnstream.errors import ModelError, RegistryError
from churnstream.model.scorer import Model
from churnstream.model.source import Source

log = structlog.get_logger(__name__)


class ModelWatch:
    """The model of a source, as of the last look; in a with-block it looks again by itself.

    Args:
        source: Where the model may be replaced.
        seconds: Between two looks.
        role: Of the model, for the log.
        on_use: Told of every model that is taken into use, the first one included.

    Attributes:
        swaps: How often another model was taken into use.
        rejected: How many models were not, because they could not be trusted or used.

    Raises:
        ModelError: There is no model to begin with, or it cannot be trusted or used.
    """

    def __init__(
        self,
        source: Source,
        seconds: float,
        role: str = "model",
        on_use: Callable[[Model], None] = lambda _: None,
    ) -> None:
        self.swaps = self.rejected = 0
        self._source, self._seconds, self._role, self._on_use = source, seconds, role, on_use
        self._name = source.newest()
        self._in_use = self._newest = source.load(self._name)
        self._rejected_name = self._trouble = ""
        self._closed = threading.Event()
        self._take_into_use("model_loaded")

    def __enter__(self) -> Self:
        # A daemon: the end of the process does not wait for a registry that does not answer.
        threading.Thread(target=self._keep_looking, name="model-watch", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()

    def current(self) -> Model:
        """The model to score the next batch with; never waits."""
        newest = self._newest
        if newest is not self._in_use:
            self.swaps += 1
            before, self._in_use = self._in_use.version, newest
            self._take_into_use("model_swapped", before=before)
        return newest

    def look(self) -> None:
        """Look for another model, and have it ready if it can be trusted and used.

        What goes wrong is said once in the log, until something else is the case.
        """
        try:
            name = self._source.newest()
            if name != self._name:
                self._take(name)
            self._trouble = ""
        except Exception as error:  # whatever it is, the model in use goes on
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("model_not_looked_up", role=self._role, error=self._trouble)

    def _take(self, name: str) -> None:
        try:
            model = self._source.load(name)
            _check_same_customers(self._newest, model)
        except RegistryError:
            raise  # says nothing of the model: the next look tries again
        except ModelError as error:
            if name != self._rejected_name:
                self.rejected += 1
                self._rejected_name = name
                log.error("model_rejected", role=self._role, error=str(error))
            return
        self._name = name
        if model.version != self._newest.version:
            self._newest = model

    def _keep_looking(self) -> None:
        while not self._closed.wait(self._seconds):
            self.look()

    def _take_into_use(self, event: str, **more: str) -> None:
        model = self._in_use
        log.info(
            event,
            role=self._role,
            version=model.version,
            sha256=model.manifest.sha256[:16],  # as in the name of the pipeline's file
            name=self._name,
            **more,
        )
        self._on_use(model)


def _check_same_customers(before: Model, model: Model) -> None:
    """Make sure that what is summed up of a run goes on to have a meaning.

    Raises:
        ModelError: The model is of other customers.
    """
    old, new = before.schema, model.schema
    shown = {segment.field for segment in old.breakdowns}
    if isinstance(old.value, str):
        shown.add(old.value)
    kept = {name: old.fields[name] for name in shown} | {"": old.id, "value": old.value}
    if kept != {name: new.fields.get(name) for name in shown} | {"": new.id, "value": new.value}:
        raise ModelError(
            f"model {model.version} is of other customers than {before.version}: its id, its value "
            "or fields of its segments differ; start a consumer of its own for it"
        )
