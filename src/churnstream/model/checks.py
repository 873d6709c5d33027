"""What a model must stand before it is saved or taken into use."""

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from churnstream.errors import ModelError
from churnstream.model.pipeline_file import TRAIN_AGAIN
from churnstream.model.quality import SPREAD
from churnstream.schema.fields import known_values
from churnstream.schema.record_types import event_type
from churnstream.schema.schema_checks import faults

if TYPE_CHECKING:
    from churnstream.model.manifest import Manifest
    from churnstream.model.scorer import Model

_TOLERANCE = 1e-9  # of the self-check: other processors round otherwise, other models differ more


def check_fits(manifest: "Manifest", folder: Path) -> None:
    """Refuse a model of another scikit-learn, whose attributes may mean something else here.

    Raises:
        ModelError: It is one of these.
    """
    if manifest.kind != "pipeline":
        return  # numbers mean the same everywhere
    theirs, ours = (
        manifest.libraries.get("scikit-learn", "unknown"),
        installed_version("scikit-learn"),
    )
    if _series(theirs) != _series(ours):
        raise ModelError(
            f"the model in {folder} was saved with scikit-learn {theirs}, "
            f"installed is {ours}; {TRAIN_AGAIN}"
        )


def _series(version: str) -> list[str]:
    return version.split(".")[:2]


def check_sound(manifest: "Manifest", folder: Path) -> None:
    """Refuse a manifest whose parts do not go together; each by itself is within its bounds.

    Raises:
        ModelError: They do not.
    """
    schema = manifest.schema
    wrong = [
        part
        for part, is_sound in {
            "schema": not [*faults(schema)],
            "background": manifest.background.fits(schema),
            "cross_validated": set(manifest.cross_validated) == set(SPREAD),
        }.items()
        if not is_sound
    ]
    if wrong:
        raise ModelError(
            f"the manifest in {folder} is not sound: {', '.join(wrong)} cannot be; {TRAIN_AGAIN}"
        )


def check_reference(model: "Model", path: Path) -> None:
    """Let the model score the rows of its manifest, which it must score as when it was saved.

    And a row with each category that it knows: none may lead to what is no probability.

    Raises:
        ModelError: It scores them otherwise, or cannot.
    """
    reference = model.manifest.reference
    expected = np.array([row.probability for row in reference])
    schema = model.schema
    try:
        events = [msgspec.convert(row.event, event_type(schema)) for row in reference]
        probes = [
            msgspec.structs.replace(events[0], **{schema.attributes[name]: value})
            for name in schema.categorical
            for value in known_values(schema.fields[name])
        ]
        found = (model.score if model.formula else model.ask)([*events, *probes])
        model.reasons(events, found[: len(events)], "all")
        off = float(np.max(np.abs(found[: len(events)] - expected)))
    except ModelError:
        raise
    except Exception as error:  # a pipeline can fail in as many ways as there are estimators
        raise ModelError(f"{path} cannot score customers ({error}); {TRAIN_AGAIN}") from error
    if not np.all((found >= 0) & (found <= 1)):  # NaN is neither
        raise ModelError(
            f"{path} gives some customers no probability from 0 to 1, as one does whose "
            f"coefficients are not finite; {TRAIN_AGAIN}"
        )
    if not off <= _TOLERANCE:
        raise ModelError(
            f"{path} fails its self-check: probabilities are off by {off:.2g}; {TRAIN_AGAIN}"
        )
