"""Standard output and standard error, which a program may lose while it runs."""

import os


class Display:
    """A text stream that falls silent when its terminal, pipe or file is lost, so that no run ends with it."""

    def __init__(self, stream):
        self.stream, self.lost = stream or open(os.devnull, "w"), None  # the error that it was lost with
        self.stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> None:
        """Write at once, if there is still something to write to."""
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError as error:
            self.lost, old, self.stream = error, self.stream, open(os.devnull, "w")
            os.dup2(self.stream.fileno(), old.fileno())  # for what still waits in the old buffer

    def __getattr__(self, name: str):
        return getattr(self.stream, name)
