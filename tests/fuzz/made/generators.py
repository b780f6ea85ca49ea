"""All generators."""

from tests.fuzz.made.models import MODELS
from tests.fuzz.made.notebooks import NOTEBOOKS
from tests.fuzz.made.pictures import PICTURES

GENERATORS = (PICTURES, MODELS, NOTEBOOKS)
