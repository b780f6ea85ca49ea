"""Inputs by name in a request to ``/serve``: of a version that takes several, or one that is no picture."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.deployments.values import Deployment
from backend.tfserving.rest_format import Tensor, dtype_of, to_array
from backend.untrusted.meaning import OutputVerdict
from workbench import scores
from workbench.errors import BadInput, ModelRefused
from workbench.manifest import Input, Manifest, ModelOutput, columns
from workbench.pictures import ink
from workbench.pictures.inputs import prepare

Inputs = Mapping[str, object]


def read(given: object) -> Inputs | None:
    """Read the request's ``inputs``: an object, or the JSON of one; ``None`` where nothing is said.

    Raises
    ------
    BadInput
    """
    if given is None or given == "":
        return None
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"inputs is no JSON: {error}"[:200]) from error
    if not isinstance(given, dict):
        raise BadInput(
            f'inputs is an object with one example by the model\'s names, {{"age": 31}}. Received: {str(given)[:60]}'
        )
    return given


def ask(deployment: Deployment, given: Inputs | None, picture: bytes | None) -> dict[str, OutputVerdict]:
    """Ask a version about one example; what each output says, by name.

    Parameters
    ----------
    given
        Each input's value; a picture's is a data URL.
    picture
        The request's picture, for the only input that takes one.

    Raises
    ------
    BadInput
        An input is missing, not the model's, or does not fit; or a value is missing that the model cannot do without.
    ModelRefused
        It did not answer with numbers.
    """
    return answer(deployment, read_example(deployment.manifest, given, picture))


def answer(deployment: Deployment, x: Mapping[str, NDArray[Any]]) -> dict[str, OutputVerdict]:
    """What each output of a version says of one example, by name; see :func:`ask`."""
    answers = deployment.engine.answer(x)
    _check_answers(answers, x, deployment)
    return read_verdicts(answers, deployment.manifest)


def read_example(manifest: Manifest, given: Inputs | None, picture: bytes | None) -> dict[str, NDArray[Any]]:
    """One example as the model that the manifest tells of takes it, by name; see :func:`ask`."""
    values: dict[str, object] = dict(given or {})
    takes = {name: is_picture(one) for name, one in manifest.feeds.items()}
    open_pictures = [name for name, is_one in takes.items() if is_one and name not in values]
    if picture is not None:
        if len(open_pictures) != 1:
            raise BadInput(
                f"the picture is for one input, and {', '.join(open_pictures) or 'none'} of {manifest.name} takes it; "
                "give pictures in inputs, as data URLs"
            )
        values[open_pictures[0]] = picture
    if manifest.columns and set(values) != set(takes):
        values = {"input": columns.encode(manifest.columns, values)}
    check_names(values, takes)
    return {name: _read_one(values[name], manifest, one, takes[name]) for name, one in manifest.feeds.items()}


def check_names(given: Mapping[str, object], takes: Iterable[str]) -> None:
    """Refuse an example that does not have each of a model's inputs, or has others."""
    if set(given) != set(takes):
        raise BadInput(
            f"inputs must have exactly {', '.join(takes)}. Received: {', '.join(given)[:200] or 'nothing'}"
        )


def read_verdicts(answers: Mapping[str, NDArray[Any]], manifest: Manifest) -> dict[str, OutputVerdict]:
    """What each output says, by name, of a model that the manifest tells of."""
    return {name: _verdict(answer, manifest.fetches.get(name), name) for name, answer in answers.items()}


def _check_answers(
    answers: Mapping[str, NDArray[Any]], x: Mapping[str, NDArray[Any]], deployment: Deployment
) -> None:
    """Refuse answers that are no numbers; a model may make up for a value that is missing, NaN, or not."""
    called = f"{deployment.name}:{deployment.version}"
    for name, answer in answers.items():
        if answer.dtype.kind == "f" and not np.isfinite(answer).all():
            for given, one in x.items():
                if one.dtype.kind == "f" and np.isnan(one).any():
                    raise BadInput(
                        f"{given} holds NaN, a missing value, and {called} cannot do without: its {name} is no number then"
                    )
            raise ModelRefused(f"{called} answers this with values that are no numbers: {name}")


def is_picture(takes: Input) -> bool:
    """Tell whether a picture can be brought into this input's form."""
    return takes.kind == "image" and len(takes.sizes) == 3 and takes.sizes[2] in (1, 3)


def _read_one(value: object, manifest: Manifest, takes: Input, pictured: bool) -> NDArray[Any]:
    if pictured and isinstance(value, bytes | str):
        x, _ = prepare(_bytes(value, takes.name), replace(manifest, input=takes, inputs=()))
        if x is None:
            raise BadInput(f"nothing is drawn on the picture {takes.name}")
        return x
    if takes.shape == (1,) and not isinstance(value, list):  # a column of one, as tables have it
        value = [value]
    shape = (-1, *(-1 if side is None else side for side in takes.shape))
    x = to_array([value], Tensor(dtype_of(takes.dtype), shape), takes.name)
    if x.dtype.kind == "f" and np.isinf(x).any():  # of NaN some models make a missing value
        raise BadInput(f"{takes.name} holds a number beyond those of {takes.dtype}")
    return x


def _bytes(value: bytes | str, name: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if value[:5].lower() == "data:":
        return ink.from_data_url(value)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput(f"{name} takes a picture, as a data URL. Received: {value[:40]!r}") from error


def _verdict(answers: NDArray[Any], output: ModelOutput | None, name: str) -> OutputVerdict:
    kind = output.kind if output is not None and answers.ndim == 2 else "values"
    found = np.asarray(answers, np.float32)
    if kind != "values" and np.isfinite(found).all():
        found = scores.probabilities(found, kind)
    return OutputVerdict.of_ours(found, kind, name)
