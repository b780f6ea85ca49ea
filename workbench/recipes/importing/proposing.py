"""The recipe that a notebook's statements make, with words for each cell and for each thing that must change."""

import ast
import builtins
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from workbench import packages
from workbench.errors import BadInput
from workbench.recipes import advice
from workbench.recipes.importing import cells, fits
from workbench.recipes.importing.cells import Statement
from workbench.recipes.importing.fits import Fit
from workbench.recipes.importing.slicing import Use, needed
from workbench.recipes.source import Recipe

OURS = {"mnist": "mnist", "fashion_mnist": "fashion-mnist"}
_LABELS = {"CLASSES", "CLASS_NAMES", "LABELS", "class_names", "classes", "label_names", "labels"}
_LAYERS = re.compile(r"\blayers\.|\bkeras\.(?!utils)|\.adapt\(|\b(Model|Sequential|Input)\(|optimizers\.")
"""Of what belongs into ``build_model``, though it looks at the data."""
_FETCHES = re.compile(
    r"https?://|\bget_file\(|\btfds\.load\(|datasets\.\w+\.load_data\(|\bload_dataset\(|fetch_\w+\(|gdown|kaggle"
)
_COLAB = re.compile(r"google\.colab|/content/|drive\.mount|files\.upload")
_AS_ARRAYS = '''def as_arrays(part):
    """The examples of a tf.data.Dataset as arrays: the workbench batches and shuffles them itself."""
    x, y = (spec.shape.as_list() for spec in part.element_spec[:2])
    if x and y and x[0] == y[0]:
        part = part.unbatch()
    return tuple(np.array(column) for column in zip(*part.as_numpy_iterator()))'''
_SPLIT = '''def split(x, y):
    """Hold every fifth example out, for the notebook has no test part."""
    held = np.arange(len(x)) % 5 == 4
    return (x[~held], y[~held]), (x[held], y[held])'''


@dataclass(frozen=True)
class Proposal:
    """What a notebook becomes.

    Attributes
    ----------
    cells
        For each code cell, from 1, the fields into which its statements go; none where it is left out.
    notes
        What was changed or left out, and what is to be done, in words.
    """

    recipe: Recipe
    cells: dict[int, tuple[str, ...]]
    notes: tuple[str, ...]


def propose(content: bytes, name: str) -> Proposal:
    """Make a recipe of a notebook that trains with ``model.fit``; nothing of it is run.

    Raises
    ------
    BadInput
        It is no notebook, or trains nothing at its top level.
    """
    found = cells.read(content, name)
    uses = [Use(statement) for statement in found.statements]
    calls = fits.fits(uses)
    if not calls:
        raise BadInput(
            f"{name} has no model.fit(…) at the top level of a cell, so nobody can tell what it trains; move the call out of "
            "its function, or tag the cells yourself: preprocessing (load_data), training (build_model)"
        )
    return _Proposing(found, uses, calls).proposal()


class _Proposing:
    def __init__(self, found: cells.Read, uses: list[Use], calls: list[Fit]) -> None:
        self.found, self.uses, self.fit = found, uses, calls[0]
        self.notes = list(found.notes)
        for other in calls[1:]:
            self.notes.append(
                f"cell {uses[other.place].statement.cell}: {other.model}.fit(…) is left out; a recipe trains one model "
                f"once, here that of cell {uses[self.fit.place].statement.cell}"
            )
        self.fields: dict[int, set[str]] = {number: set() for number in found.cells}
        self.extra: list[str] = []

    def proposal(self) -> Proposal:
        fit, uses = self.fit, self.uses
        data_end, load, names = self._data()
        data = [p for p in needed(uses, names, data_end) if not self._is_models(uses[p])]
        model = needed(uses, [fit.model, *self._names_of_callbacks()], fit.place)
        labels = self._labels()
        shared = self._shared({*data, *model, *labels})
        loading, own = self._apart(
            [p for p in data if p not in shared], [p for p in model if p not in shared]
        )
        made = {n for p in loading for n in uses[p].makes}
        asked = sorted(
            {n for p in own for n in uses[p].reads} & made - {n for p in own for n in uses[p].makes}
        )
        names &= made
        self.fields[uses[fit.place].statement.cell].add("training")
        training = self._training(own, asked, labels)
        if asked:
            self.notes.append(
                f"the model is made with {', '.join(asked)} of the data, so both take it from data() in helpers, which loads it once"
            )
        preprocessing = self._preprocessing(loading, load, names, asked)
        helpers = self._helpers(shared, loading, names, asked)
        self._note_others()
        recipe = Recipe(helpers, preprocessing, training, self._requirements(shared))
        self._note_undefined(recipe)
        told = {number: tuple(sorted(fields)) for number, fields in self.fields.items()}
        return Proposal(recipe, told, tuple(dict.fromkeys(self.notes)))

    # ── the data ─────────────────────────────────────────────────────────────────────────────────

    def _data(self) -> tuple[int, str, set[str]]:
        """Up to where the data is made, the line that returns it, and the names in that line."""
        fit, arguments = self.fit, self.fit.arguments
        x, y, weight = arguments.get("x"), arguments.get("y"), arguments.get("sample_weight")
        end = fit.place
        if x is None:
            raise BadInput(f"{fit.model}.fit(…) names no data")
        train = (
            f"({', '.join(ast.unparse(part) for part in (x, y, weight) if part is not None)})"
            if y is not None
            else f"as_arrays({ast.unparse(x)})"
        )
        found = fits.evaluated(self.uses, fit.model)
        validation = arguments.get("validation_data")
        given = found[1] if found is not None else {}
        if found is not None and "x" in given and ast.unparse(given["x"]) != ast.unparse(x):
            end = max(end, found[0])
            self.fields[self.uses[found[0]].statement.cell].add("preprocessing")
            pair = f"({ast.unparse(given['x'])}, {ast.unparse(given['y'])})" if "y" in given else ""
            test = pair or f"as_arrays({ast.unparse(given['x'])})"
            if validation is not None and ast.unparse(validation) not in (pair, ast.unparse(given["x"])):
                self.notes.append(
                    "validation_data of fit is left out: the workbench cuts a tenth off the training part, and the test "
                    "part chooses no model"
                )
        elif validation is not None:
            self.notes.append(
                "the notebook evaluates nothing, so validation_data of fit became the test part"
            )
            if isinstance(validation, ast.Tuple | ast.List):
                test = f"({', '.join(ast.unparse(value) for value in validation.elts[:2])})"
            else:
                test = ast.unparse(validation) if y is not None else f"as_arrays({ast.unparse(validation)})"
        else:
            self.notes.append(
                "the notebook has no test part, so every fifth example is held out: see split() in preprocessing"
            )
            self.extra.append(_SPLIT)
            test = ""
        if "validation_split" in arguments:
            self.notes.append(
                "validation_split is left out: the workbench cuts a tenth off the training part"
            )
        if "as_arrays(" in train + test:
            self.notes.append(
                "the tf.data.Dataset of the notebook becomes arrays, see as_arrays(): the workbench batches and shuffles itself"
            )
            self.extra.insert(0, _AS_ARRAYS)
        load = (
            f"return {train}, {test}"
            if test
            else f"return split{train}"
            if y is not None
            else f"return split(*{train})"
        )
        names = {n.id for n in ast.walk(ast.parse(load.removeprefix("return "))) if isinstance(n, ast.Name)}
        return end, load, names - {"as_arrays", "split"}

    def _is_models(self, use: Use) -> bool:
        """Whether the statement is about the model, and no part of loading data."""
        return self.fit.model in use.makes | use.changes

    def _apart(self, data: list[int], model: list[int]) -> tuple[list[int], list[int]]:
        """Statements that load data, and those that make the model.

        What is read off the data before it is changed again, such as the names of its classes, belongs to the data.
        """
        loading, own = list(data), []
        made = {n for p in loading for n in self.uses[p].makes}
        for place in (p for p in model if p not in data):
            use = self.uses[place]
            if use.reads & made and not self._is_models(use) and not _LAYERS.search(use.statement.text):
                loading.append(place)
                made |= use.makes
            else:
                own.append(place)
        return sorted(loading), own

    def _labels(self) -> list[int]:
        """Where the notebook says what its classes are called."""
        for place, use in enumerate(self.uses):
            node = use.statement.node
            if use.is_constant and use.makes & _LABELS and isinstance(node, ast.Assign):
                value = ast.literal_eval(node.value)
                if (
                    isinstance(value, list | tuple)
                    and len(value) > 1
                    and all(isinstance(v, str) for v in value)
                ):
                    return [place]
        return []

    def _shared(self, places: set[int]) -> set[int]:
        """Of these statements, those of the helpers: imports, definitions, and constants that nothing gives another value."""
        others = [self.uses[p] for p in places if not self._may_be_shared(self.uses[p])]
        changed = {name for use in others for name in use.makes | use.changes}
        return {
            p
            for p in places
            if self._may_be_shared(use := self.uses[p]) and not (use.is_constant and use.makes & changed)
        }

    def _may_be_shared(self, use: Use) -> bool:
        return use.is_import or use.is_definition or use.is_constant

    # ── the fields ───────────────────────────────────────────────────────────────────────────────

    def _training(self, own: Sequence[int], asked: Sequence[str], labels: Sequence[int]) -> str:
        settings = self._settings()
        for place in labels:
            settings += f"\nLABELS = {next(iter(self.uses[place].makes))}"
        lines = [self._take(p, "training") for p in own]
        if asked:
            lines = ["found = data()", *(f"{name} = found.{name}" for name in asked), *lines]
        body = "\n".join([*lines, f"return {self.fit.model}"])
        imported = "from helpers import data\n\n" if asked else ""
        return f"{imported}{settings}\n\n\ndef build_model():\n{textwrap.indent(body, '    ')}\n"

    def _settings(self) -> str:
        arguments, place = self.fit.arguments, self.fit.place

        def whole(name: str, default: int) -> int:
            value = fits.literal(arguments.get(name), self.uses, place)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
            if name in arguments:
                self.notes.append(
                    f"{name.upper()} is {default}, for {ast.unparse(arguments[name])} is computed: set what you want"
                )
            return default

        lines = [f"EPOCHS = {whole('epochs', fits.EPOCHS)}"]
        by_data = "y" not in arguments and "batch_size" not in arguments
        lines.append(f"BATCH_SIZE = {whole('batch_size', fits.BATCH_SIZE)}")
        if by_data and (known := self._known_batch_size()):
            lines[-1] = f"BATCH_SIZE = {known}"
        elif by_data:
            self.notes.append(
                f"BATCH_SIZE is {fits.BATCH_SIZE}; the notebook batches its data itself: set what it had"
            )
        lines += self._callbacks()
        if (given := arguments.get("class_weight")) is not None:
            weights = fits.literal(given, self.uses, place)
            if isinstance(weights, dict):
                lines.append(f"CLASS_WEIGHT = {weights!r}")
            else:
                self.notes.append(
                    f"class_weight={ast.unparse(given)} is computed: write CLASS_WEIGHT = {{0: …, 1: …}} into training"
                )
        for name in sorted(set(arguments) & {"initial_epoch", "steps_per_epoch", "validation_steps"}):
            self.notes.append(f"{name} of fit is left out: an epoch visits each example once")
        return "\n".join(lines)

    def _known_batch_size(self) -> int | None:
        for name in ("batch_size", "BATCH_SIZE"):
            value = fits.literal(ast.Name(name), self.uses, self.fit.place)
            if isinstance(value, int) and value > 0:
                return value
        return None

    def _names_of_callbacks(self) -> set[str]:
        taken = [call for name, call in fits.callbacks_of(self.uses, self.fit).items() if name in fits.TAKEN]
        return {n.id for call in taken for n in ast.walk(call) if isinstance(n, ast.Name)}

    def _callbacks(self) -> list[str]:
        lines, taken = [], []
        for name, call in fits.callbacks_of(self.uses, self.fit).items():
            if name == "EarlyStopping":
                patience = fits.literal(fits.keyword(call, "patience"), self.uses, self.fit.place)
                patience = patience if isinstance(patience, int) and patience > 0 else 1
                lines.append(f"PATIENCE = {patience}")
                self.notes.append(
                    f"EarlyStopping became PATIENCE = {patience}: it looks at the validation loss and takes the best epoch's weights"
                )
            elif name in fits.TAKEN:
                taken.append(ast.unparse(call))
            else:
                self.notes.append(
                    f"the callback {name} is left out: {fits.CALLBACKS.get(name, 'the training loop is the workbench' + chr(39) + 's, and calls none of your own')}"
                )
        if taken:
            lines.append(f"CALLBACKS = [{', '.join(taken)}]")
        return lines

    def _preprocessing(self, loading: Sequence[int], load: str, names: set[str], asked: Sequence[str]) -> str:
        extra = "".join(f"{text}\n\n\n" for text in self.extra)
        if asked:
            rest = "\n".join(["found = data()", *(f"{name} = found.{name}" for name in sorted(names)), load])
            body = f"from helpers import data\n\n\n{extra}def load_data():\n{textwrap.indent(rest, '    ')}\n"
        else:
            text = "\n".join([*(self._take(p, "preprocessing") for p in loading), load])
            body = f"{extra}def load_data():\n{textwrap.indent(text, '    ')}\n"
        return f"import numpy as np\n\n\n{body}" if extra else body

    def _helpers(
        self, shared: set[int], loading: Sequence[int], names: set[str], asked: Sequence[str]
    ) -> str:
        imports = [self._take(p, "helpers") for p in sorted(shared) if self.uses[p].is_import]
        if "datasets.load(" in self._all_text(loading):
            imports.append("from workbench import datasets")
        others: list[str] = []
        for p in (p for p in sorted(shared) if not self.uses[p].is_import):
            text = self._take(p, "helpers")
            if self.uses[p].is_constant and others and not others[-1].startswith(("def ", "class ", "@")):
                others[-1] += f"\n{text}"
            else:
                others.append(text)
        if asked:
            given = ", ".join(f"{name}={name}" for name in sorted({*names, *asked}))
            body = "\n".join(
                [*(self._take(p, "helpers") for p in loading), f"return SimpleNamespace({given})"]
            )
            imports += ["import functools", "from types import SimpleNamespace"]
            others.append(f"@functools.cache\ndef data():\n{textwrap.indent(body, '    ')}")
        parts = ["\n".join(dict.fromkeys(imports))] if imports else []
        return "\n\n\n".join([*parts, *others]) + "\n" if parts or others else ""

    def _all_text(self, places: Sequence[int] | range) -> str:
        return "\n".join(_ours(self.uses[p].statement.text) for p in places)

    def _take(self, place: int, field: str) -> str:
        """The text of a statement, in this field from now on; what it fetches from elsewhere is told."""
        statement = self.uses[place].statement
        self.fields[statement.cell].add(field)
        text = _ours(statement.text)
        if text != statement.text:
            self.notes.append(
                f"cell {statement.cell}: the data set is the workbench's own, for machines have no network: datasets.load(…)"
            )
        elif _FETCHES.search(text):
            self.notes.append(
                f"cell {statement.cell}: {_first(statement)} fetches from the network, which machines have not: workbench data add NAME "
                'SOURCE, then datasets.load("NAME"); or put the file beside the recipe'
            )
        if _COLAB.search(text):
            self.notes.append(
                f"cell {statement.cell}: {_first(statement)} is Colab's: put the file beside the recipe and open it by its name"
            )
        return text

    # ── what else is to be said ──────────────────────────────────────────────────────────────────

    def _requirements(self, shared: set[int]) -> str:
        text = "".join(f"%pip install {line}\n" for line in self.found.pip)
        kept = []
        try:
            named = [one.text for one in packages.parse(text)]
        except Exception as error:  # a line that is none is told, and left out
            self.notes.append(f"of pip's lines nothing became requirements: {error}")
            named = []
        here = {*advice.modules(), "tensorflow-cpu", "tensorflow-gpu", "opencv-python"}
        kept += [one for one in named if packages.parse(one)[0].name not in here]
        have = {packages.parse(one)[0].name for one in kept}
        for place in sorted(shared):
            node = self.uses[place].statement.node
            if not self.uses[place].is_import:
                continue
            tops = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [getattr(node, "module", None) or ""]
            )
            for top in {t.partition(".")[0] for t in tops} - {""}:
                if top not in here and not advice.is_pythons(top) and top not in ("google", "workbench"):
                    line = packages.suggestion(top)
                    if line not in have:
                        kept.append(line)
                        have.add(line)
                        self.notes.append(f"{top} is not here, so {line} became a line of the requirements")
        return "".join(f"{one}\n" for one in kept)

    def _note_others(self) -> None:
        left = [
            number
            for number, fields in self.fields.items()
            if not fields and self.found.cells[number].strip()
        ]
        if left:
            self.notes.append(f"cell{'s' * (len(left) > 1)} {', '.join(map(str, left))}: not needed to train")

    def _note_undefined(self, recipe: Recipe) -> None:
        known: set[str] = {*dir(builtins), "__file__", "__name__"}
        read: dict[str, str] = {}
        for field in ("helpers", "preprocessing", "training"):
            for node in ast.parse(getattr(recipe, field)).body:
                use = Use(Statement(0, node, ""))
                known |= use.makes
                for name in use.reads:
                    read.setdefault(name, field)
        for name, field in sorted(read.items()):
            if name not in known and "*" not in known:
                self.notes.append(
                    f"{name}, which {field} reads, is made by no cell that was understood: define it"
                )


def _ours(text: str) -> str:
    """The text with Keras' own copies of our data sets taken from here."""
    return re.sub(
        r"(?:\b\w+\.)*\b(mnist|fashion_mnist)\.load_data\([^)]*\)",
        lambda match: f'datasets.load("{OURS[match[1]]}")',
        text,
    )


def _first(statement: Statement) -> str:
    line = ast.unparse(statement.node).splitlines()[0]
    return line if len(line) <= 60 else line[:60] + " …"
