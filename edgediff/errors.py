"""The ways in which a run can fail on purpose."""


class ConfigError(ValueError):
    """Something the user gave cannot be used; the message is one line: field, value, what is allowed."""


class DamagedFile(ConfigError):
    """A file that is not what was written, or not written by this program."""


class NonFiniteError(FloatingPointError):
    """A number that training cannot go on with; the message names the quantity."""
