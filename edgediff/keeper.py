"""When a run saves itself, and how it ends early: every so often, and when a signal asks it to."""

import signal
import time
from collections.abc import Callable

SIGNALS = signal.SIGINT, signal.SIGTERM


class Stop(Exception):
    """A signal has asked the run to end."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


class Keeper:
    """Calls `save` every `interval_s` seconds, and turns SIGINT and SIGTERM into `Stop`; a context manager.

    The first signal lets the step at hand finish. A second one ends the process at once; files are whole or not
    there, so that this corrupts nothing.
    """

    def __init__(self, interval_s: float, save: Callable[[], None]):
        self.interval_s, self._save = interval_s, save
        self.signal, self.saving_s = 0, 0.0
        self.started_at = self.saved_at = time.monotonic()

    def __enter__(self):
        self.handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, kind, *_):
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        if kind is None:
            self.check()  # a signal that came after the last step counts too

    def _note(self, number: int, _) -> None:
        self.signal = number
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)

    def check(self) -> None:
        """Raise `Stop` if a signal has come: at moments when nothing is half done."""
        if self.signal:
            raise Stop(self.signal)

    def tick(self) -> None:
        """Check, and save if it is time: between two steps."""
        self.check()
        if time.monotonic() - self.saved_at >= self.interval_s:
            self.save()

    def save(self) -> None:
        """Save now, and add up the time that it takes."""
        started = time.monotonic()
        self._save()
        self.saved_at = time.monotonic()
        self.saving_s += self.saved_at - started

    def cost(self) -> str:
        """Say how much of the time saving has taken."""
        share = self.saving_s / (time.monotonic() - self.started_at)
        return f"saving took {self.saving_s:.1f} s, {share:.1%} of the run"

    def interruptible(self, policies: dict[str, Callable]) -> dict[str, Callable]:
        """Let a signal end an evaluation between two decisions: it changes nothing, and is done again later."""

        def checked(policy):
            return lambda *seen: self.check() or policy(*seen)

        return {name: checked(policy) for name, policy in policies.items()}
