"""Draw what a trained run does: `python -m experiments.pictures RUN [--output FOLDER]`.

Writes network.svg, moving.svg, timelines.png and choices.png, and of d2sac also its chain, denoising.png and
schedule.svg, by default to RUN/pictures.
"""

import sys
from pathlib import Path

from edgediff.errors import ConfigError
from edgediff.learner.d2sac import D2SAC
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program, set_up_torch
from edgediff.run.start import load_run
from experiments.pictures import choices, denoising, moving, network, schedule, timelines


def main(argv: list[str]) -> int:
    """Draw all pictures of a run."""
    parser = Parser("python -m experiments.pictures RUN", main.__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("--output", metavar="FOLDER", help="where to [RUN/pictures]")
    args = parser.parse(argv)
    settings, _, _, agent = load_run(args.run)
    set_up_torch(settings.run)
    folder = Path(args.output or Path(args.run) / "pictures")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        network.draw(settings.world, folder / "network.svg")
        moving.draw(settings, agent, folder / "moving.svg")
        timelines.draw(settings, agent, folder / "timelines.png")
        choices.draw(settings, agent, folder / "choices.png")
        if isinstance(agent, D2SAC):
            denoising.draw(settings, agent, folder / "denoising.png")
            schedule.draw(agent.schedule, folder / "schedule.svg")
    except OSError as error:
        raise ConfigError(f"output: {folder} cannot be written ({error.strerror})") from None
    return 0


if __name__ == "__main__":
    sys.exit(run_program("pictures", main))
