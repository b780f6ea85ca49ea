"""One example by name for a model that is brought along: each input as the model's own signature says."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.tfserving.rest_format import Tensor, to_array
from backend.untrusted import by_name
from backend.untrusted.by_name import Inputs
from backend.untrusted.fitting import How, choose_signature, fit_picture
from backend.untrusted.meaning import OutputVerdict
from backend.untrusted.model_servers import ModelServer
from workbench import scores
from workbench.errors import BadInput
from workbench.manifest import Manifest
from workbench.pictures import ink


def ask(
    server: ModelServer, given: Inputs, picture: bytes | None, manifest: Manifest | None, how: How
) -> dict[str, OutputVerdict]:
    """Ask a model about one example; what each output says, by name.

    Parameters
    ----------
    picture
        The request's picture, for the one input that ``given`` leaves out.
    manifest
        Of an artifact of the workbench, which tells more than a signature.

    Raises
    ------
    BadInput
        An input is missing, not the model's, or does not fit.
    ModelRefused
        It failed.
    """
    signature = choose_signature(server.signatures, how.signature)
    takes = server.signatures[signature].inputs
    if manifest is not None and set(manifest.feeds) == set(takes):
        x = by_name.read_example(manifest, given, picture)
        return by_name.read_verdicts(server.predict(x, signature), manifest)
    values: dict[str, object] = dict(given)
    if picture is not None:
        left_out = [name for name in takes if name not in values]
        if len(left_out) != 1:
            raise BadInput(
                "the picture is for the one input that inputs leave out, and they leave out "
                f"{', '.join(left_out)[:200] or 'none'}; give other pictures in inputs, as data URLs"
            )
        values[left_out[0]] = picture
    by_name.check_names(values, takes)
    x = {name: _read_one(values[name], tensor, name, how) for name, tensor in takes.items()}
    return {name: _verdict(answer, name) for name, answer in server.predict(x, signature).items()}


def _read_one(value: object, tensor: Tensor, name: str, how: How) -> NDArray[Any]:
    if isinstance(value, str) and value[:11].lower() == "data:image/":
        value = ink.from_data_url(value)
    if isinstance(value, bytes):
        return fit_picture(value, tensor, None, how)[0]
    if tensor.shape == ():
        return to_array(value, tensor, name)
    batch, *sides = tensor.shape or (-1,)
    if sides == [1] and not isinstance(value, list):  # a column of one, as tables have it
        value = [value]
    x = to_array([value], Tensor(tensor.dtype, tensor.shape and (-1, *sides)), name)
    if x.dtype.kind == "f" and np.isinf(x).any():
        raise BadInput(f"{name} holds a number beyond those of {tensor.dtype}")
    return np.repeat(x, batch, axis=0) if batch > 1 else x


def _verdict(answer: NDArray[Any], name: str) -> OutputVerdict:
    """What an output says: probabilities where it gives several that sum to 1, else its values as they are."""
    found = np.asarray(answer)
    if found.dtype.kind not in "fiub":
        texts = [
            one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in found.ravel()
        ]
        return OutputVerdict(None, texts[0] if texts else None, (), name)
    numbers = np.atleast_2d(found).astype(np.float32)
    is_sure = numbers.ndim == 2 and numbers.shape[1] > 1 and bool(np.isfinite(numbers).all())
    kind = scores.measure(numbers) if is_sure else "values"
    return OutputVerdict.of_ours(numbers, kind if kind == "probabilities" else "values", name)


def choose(outputs: Mapping[str, OutputVerdict], wanted: str) -> OutputVerdict:
    """The output that is named, else the first that names a class, else the first."""
    if wanted and wanted not in outputs:
        raise BadInput(f"the model has no output {wanted[:60]!r}; it has: {', '.join(outputs)[:200]}")
    named = [one for one in outputs.values() if one.index is not None or one.name]
    return outputs[wanted] if wanted else next(iter([*named, *outputs.values()]))
