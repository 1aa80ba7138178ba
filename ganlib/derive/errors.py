"""The one error of the checker."""


class Refused(ValueError):
    """A line was not accepted; the message names the line, what was expected and what to do."""


class Undecided(Exception):
    """The decision procedure does not cover the expression. It never counts as a proof."""
