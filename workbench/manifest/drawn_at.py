"""Which models a drawing can be given to, and which say of it what it is."""

from workbench.manifest.version import Manifest


def takes_pictures(manifest: Manifest) -> bool:
    """Whether a drawing can be brought into the form of its input; of a version that does not say its input it is taken so."""
    wanted = manifest.input
    if manifest.inputs or wanted is None:
        return not manifest.inputs
    if wanted.kind != "image" or len(wanted.sizes) != 3 or wanted.sizes[2] not in (1, 3):
        return False
    answers = manifest.output
    return answers is None or len(answers.shape) == 1  # one score a class, not a picture again


def recognises(manifest: Manifest) -> bool:
    """Whether it says of a drawing which of some classes it is, as the drawing page asks."""
    return takes_pictures(manifest) and (manifest.output is None or manifest.output.kind != "values")
