"""The signature of a model: what goes in, and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from workbench.fields import Fields
from workbench.manifest.columns import InputColumn, column_as_json, parse_columns

OutputKind = Literal["probabilities", "independent", "logits", "values"]
"""What a model's outputs are: probabilities of classes that exclude each other (one output: that of the second of two),
probabilities of which each stands alone, logits of classes, or quantities."""


@dataclass(frozen=True)
class Input:
    """The input that the model takes.

    Attributes
    ----------
    kind
        ``image``, ``array`` or ``text``.
    shape
        Without the batch; ``None`` where any size will do.
    dtype
        As NumPy calls it, and ``string``.
    range
        Lowest and highest value that the model was trained on.
    """

    shape: tuple[int | None, ...]
    kind: str = "array"
    dtype: str = "float32"
    range: tuple[float, float] = (0, 255)
    example: tuple[int, ...] = ()
    """Shape of the examples that it was trained on, where ``shape`` leaves a side open."""
    name: str = "input"
    """Its name, where there are several."""
    columns: tuple[InputColumn, ...] = ()
    """Of a table's row that became these numbers; none where it is something else."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """A shape that goes in, every side told: what a picture is brought to.

        >>> Input((None, None, 3), example=(32, 32, 3)).sizes
        (32, 32, 3)
        """
        return self.example or tuple(side or 1 for side in self.shape)

    def show_shape(self) -> str:
        """Write the shape as people read it.

        >>> Input((None, 3)).show_shape(), Input(()).show_shape()
        ('n×3', 'one value')
        """
        return "×".join("n" if side is None else str(side) for side in self.shape) or "one value"

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Tell whether an example of this shape can go in.

        >>> Input((None, 3)).fits((7, 3)), Input((None, 3)).fits((7, 4))
        (True, False)
        """
        return len(shape) == len(self.shape) and all(
            wanted in (None, side) for wanted, side in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True)
class ModelOutput:
    """An output that the model gives: what it is, and its shape without the batch."""

    kind: OutputKind
    shape: tuple[int, ...]
    name: str = "output"
    """Its name, where there are several."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What was measured of it, where there are several."""
    labels: tuple[str, ...] = ()
    """What its classes are called, where there are several outputs and the recipe says it."""


def parse_input(fields: Fields) -> Input:
    """Parse the input that a manifest tells."""
    shape, columns = fields.open_shape("shape"), parse_columns(fields.parts("columns"))
    if columns and shape != (sum(one.width for one in columns),):
        fields.refuse("columns", f"those of {shape} numbers")
    return Input(
        shape=shape,
        columns=columns,
        kind=fields.text("kind", "array"),
        dtype=fields.text("dtype", "float32"),
        range=fields.optional("range", fields.range) or (0, 255),
        example=fields.optional("example", fields.shape) or (),
        name=fields.text("name", "input"),
    )


def input_as_json(given: Input) -> dict[str, object]:
    """The input as it stands in the file."""
    told = {**vars(given), "shape": [*given.shape], "range": [*given.range], "example": [*given.example]}
    told["columns"] = [column_as_json(one) for one in given.columns]
    unsaid = {"example": [], "name": "input", "columns": []}
    return {key: value for key, value in told.items() if unsaid.get(key) != value}


def output_as_json(given: ModelOutput) -> dict[str, object]:
    """The output as it stands in the file."""
    told: dict[str, object] = {"kind": given.kind, "shape": [*given.shape]}
    named: dict[str, object] = {"name": given.name} if given.name != "output" else {}
    said: dict[str, object] = {"metrics": dict(given.metrics), "labels": list(given.labels)}
    return {**named, **told, **{key: value for key, value in said.items() if value}}


def parse_output(fields: Fields) -> ModelOutput:
    """Parse the output that a manifest tells."""
    kind = fields.text("kind", "values")
    if kind not in get_args(OutputKind):
        fields.refuse("kind", ", ".join(get_args(OutputKind)))
    return ModelOutput(
        cast(OutputKind, kind),
        fields.shape("shape"),
        fields.text("name", "output"),
        fields.numbers("metrics"),
        fields.texts("labels"),
    )
