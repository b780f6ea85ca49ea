"""Homes other than this one, as AWS knows them: what they have there, and taking over one that is lost."""

from workbench.verbs.homes.adopting import Adopted, adopt, list_homes

__all__ = ["Adopted", "adopt", "list_homes"]
