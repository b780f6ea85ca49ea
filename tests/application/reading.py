"""Templates of CloudFormation, read."""

from functools import cache
from typing import Any


@cache
def read_template(text: str) -> Any:
    """Give what a template says, as cfn-lint reads it, to be looked at only: it is read once."""
    from cfnlint.decode import cfn_yaml  # takes seconds, with a whole algebra system

    return cfn_yaml.loads(text)
