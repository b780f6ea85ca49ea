"""All that a manifest says of a model version, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast, get_args

from workbench.errors import ModelRefused
from workbench.fields import Fields
from workbench.lineage import (
    CorrectedPart,
    DatasetPin,
    Parent,
    corrected_as_json,
    parse_corrected,
    parse_parent,
    parse_pins,
)
from workbench.manifest.columns import InputColumn
from workbench.manifest.files import FORMAT, File, parse_files, read_json, write_listing
from workbench.manifest.signature import (
    Input,
    ModelOutput,
    input_as_json,
    output_as_json,
    parse_input,
    parse_output,
)

Preprocessing = Literal["mnist", "resize", "none"]


@dataclass(frozen=True)
class Training:
    """The run that made the model."""

    seconds: float = 0.0
    stopped: bool = False
    """Ended early because it was asked to."""
    epochs: int | None = None
    best_epoch: int | None = None
    """The epoch whose weights these are, where they are not the last."""


@dataclass(frozen=True)
class Manifest:
    """Everything that is known of a version.

    Attributes
    ----------
    name, version, created
        Empty and 0 until it is published; ``created`` in ISO 8601, UTC.
    job
        The job that trained it; ``None`` for the tutorial's and the first model.
    parent
        The version that the training went on from; ``None`` where it began from nothing.
    input, output
        ``None`` where the model's export did not say, and ``input`` where there are several; of several outputs the one
        that the model is judged by.
    inputs, outputs
        All of them, where there are several; else empty.
    metrics
        Figures on the held-out part: ``accuracy``, ``low``, ``high``, ``loss`` of a classifier;
        ``mean_error``, ``root_mean_square_error`` and ``explained`` of a regressor.
    missing
        Forms that this model cannot take, each with the reason.
    doubt
        The file that tells what is no single digit; ``None`` where the version has none.
    datasets
        Data sets that were brought and that it was made of, by name.
    files
        By path, all but the manifest.
    others
        Keys that are not known here, kept as they came.
    """

    name: str = ""
    version: int = 0
    created: str = ""
    job: int | None = None
    input: Input | None = None
    preprocessing: Preprocessing = "none"
    labels: tuple[str, ...] = ()
    output: ModelOutput | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    training: Training = Training()
    frameworks: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    corrections: CorrectedPart | None = None
    parent: Parent | None = None
    doubt: str | None = None
    datasets: Mapping[str, DatasetPin] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)
    others: Mapping[str, object] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    outputs: tuple[ModelOutput, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def accuracy(self) -> float | None:
        """The share of the held-out part that a classifier gets right."""
        return self.metrics.get("accuracy")

    @property
    def published(self) -> datetime | None:
        """The time of ``created``; ``None`` where that is no time.

        >>> Manifest(created="2026-11-30T05:00:00Z").published.isoformat(), Manifest(created="yesterday").published
        ('2026-11-30T05:00:00+00:00', None)
        """
        try:
            told = datetime.fromisoformat(self.created)
        except ValueError:
            return None
        told = told if told.tzinfo else told.replace(tzinfo=UTC)
        return told if 1970 < told.year < 9999 else None

    @property
    def takes(self) -> Input:
        """The input, of a version that says it, and has one.

        Raises
        ------
        ModelRefused
            It does not.
        """
        if self.inputs:
            names = ", ".join(one.name for one in self.inputs)
            raise ModelRefused(
                f"{self} takes several inputs ({names}): ask it by /v1/models/{self.name}:predict, or by /serve with inputs"
            )
        if self.input is None:
            raise ModelRefused(f"the manifest of {self} does not say what the model takes; publish it again")
        return self.input

    @property
    def feeds(self) -> Mapping[str, Input]:
        """Every input by name; ``input`` is the name of an only one."""
        return {one.name: one for one in self.inputs} or {"input": self.takes}

    @property
    def columns(self) -> tuple[InputColumn, ...]:
        """The columns of the table's row that the model takes; none where it takes something else."""
        return () if self.inputs or self.input is None else self.input.columns

    @property
    def fetches(self) -> Mapping[str, ModelOutput]:
        """Every output by name; ``output`` is the name of an only one, and there is none of what does not say."""
        if self.outputs:
            return {one.name: one for one in self.outputs}
        return {} if self.output is None else {"output": self.output}

    @classmethod
    def parse(cls, told: Mapping[str, object]) -> "Manifest":
        """Check the JSON of a manifest, of one that is not yet published too.

        Raises
        ------
        ModelRefused
            A value is not what it must be.
        """
        fields = Fields(told, "the manifest's ")
        preprocessing = fields.text("preprocessing", "none")
        if preprocessing not in get_args(Preprocessing):
            fields.refuse("preprocessing", "mnist, resize or none")
        return cls(
            name=fields.text("name", ""),
            version=fields.optional("version", fields.whole) or 0,
            created=fields.text("created", ""),
            job=fields.optional("job", fields.whole),
            input=fields.optional("input", lambda key: parse_input(fields.part(key))),
            preprocessing=cast(Preprocessing, preprocessing),
            labels=fields.texts("labels"),
            output=fields.optional("output", lambda key: parse_output(fields.part(key))),
            inputs=tuple(map(parse_input, fields.parts("inputs"))),
            outputs=tuple(map(parse_output, fields.parts("outputs"))),
            metrics=fields.numbers("metrics"),
            training=_training(fields.part("training")),
            frameworks=fields.named_texts("frameworks"),
            missing=fields.named_texts("missing"),
            corrections=fields.optional("corrections", lambda key: parse_corrected(fields.part(key))),
            parent=fields.optional("parent", lambda key: parse_parent(fields.part(key))),
            doubt=fields.optional("doubt", fields.text),
            datasets=parse_pins(fields, "datasets"),
            files=parse_files(fields),
            others={key: told[key] for key in told if key not in _KNOWN},
        )

    def as_json(self) -> dict[str, object]:
        """The manifest as it stands in the file."""
        told: dict[str, object] = {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "created": self.created,
            "job": self.job,
            "input": self.input and input_as_json(self.input),
            "preprocessing": self.preprocessing,
            "labels": list(self.labels),
            "output": self.output and output_as_json(self.output),
            "inputs": [input_as_json(one) for one in self.inputs] or None,
            "outputs": [output_as_json(one) for one in self.outputs] or None,
            "metrics": dict(self.metrics),
            "training": {key: value for key, value in vars(self.training).items() if value is not None},
            "frameworks": dict(self.frameworks),
            "missing": dict(self.missing),
            "corrections": self.corrections and corrected_as_json(self.corrections),
            "parent": self.parent and {key: value for key, value in vars(self.parent).items() if value != ""},
            "doubt": self.doubt,
            "datasets": {name: vars(pin) for name, pin in self.datasets.items()} or None,
            **self.others,
            "files": {path: vars(file) for path, file in self.files.items()},
        }
        optional = ("input", "output", "inputs", "outputs", "corrections", "parent", "doubt", "datasets")
        return {key: value for key, value in told.items() if value is not None or key not in optional}


def read(folder: Path) -> Manifest:
    """Read a version's manifest, without checking it against the files.

    Raises
    ------
    ModelRefused
        No manifest, one that is not JSON, of a format that is not known here, or with a value that cannot be.
    """
    return Manifest.parse(read_json(folder))


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a version, with the folder's files as they are now."""
    write_listing(folder, manifest.as_json())


_KNOWN = {
    "format",
    "name",
    "version",
    "created",
    "job",
    "input",
    "preprocessing",
    "labels",
    "output",
    "inputs",
    "outputs",
    "metrics",
    "training",
    "frameworks",
    "missing",
    "corrections",
    "parent",
    "doubt",
    "datasets",
    "files",
}


def _training(fields: Fields) -> Training:
    return Training(
        seconds=fields.number("seconds", 0.0),
        stopped=fields.flag("stopped"),
        epochs=fields.optional("epochs", fields.whole),
        best_epoch=fields.optional("best_epoch", fields.whole),
    )
