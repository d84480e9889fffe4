"""The errors that a run can end with on purpose."""


class ConfigError(ValueError):
    """An input that cannot be used; the message is one line: the field, its value, what is allowed."""


class DamagedFile(ConfigError):
    """A file that was changed since it was written, or that this program did not write."""


class NonFiniteError(FloatingPointError):
    """A NaN or an infinity in training; the message names the quantity."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, cut to a length that fits into a message of ours."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].strip()[:120]
