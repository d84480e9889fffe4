"""List the programs: `python -m edgediff`."""

import sys

PROGRAMS = """\
python -m edgediff.train      train an agent, Algorithm 1: 3 minutes with --preset deploy, 10 with quick, else 2 hours
python -m edgediff.evaluate   score saved runs, beside the rules: a minute
python -m edgediff.control    decide online, one JSON line per flow: some milliseconds each
python -m edgediff.export     write an agent as an ONNX file, which decides without torch: 10 seconds
Each explains itself with --help. experiments/README.md lists those of the experiments."""


def main(argv: list[str]) -> int:
    """Print the programs; status 2 if anything was asked of this one."""
    print(PROGRAMS, file=sys.stderr if argv else sys.stdout)
    return 2 if argv else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
