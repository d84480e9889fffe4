"""Print tables of results, or write them into the READMEs, where they stand between markers:

    <!-- table headline completion,reward 1,1.5,2 -->         grids, metrics (see score_tables.py), loads
    <!-- table headline completion,reward 1 d2sac,greedy -->  the same, of some agents with their variants, and rules
    <!-- differences headline completion,reward 1,1.5,2 -->   d2sac minus the others, seed by seed
    <!-- table front -->                                      a table of readme_tables.py

A block ends with `<!-- end -->`. Numbers in sentences have markers, too: see prose_numbers.py. All is made from the
committed CSVs, and so the same each time.
"""

import re
import signal
import sys
from pathlib import Path

from edgediff.errors import ConfigError, first_line
from edgediff.run.atomic import write_atomically
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments import RESULTS, ROOT
from experiments.analysis.prose_numbers import NUMBER, check_markers, number
from experiments.analysis.reading import read_together
from experiments.analysis.readme_tables import TABLES
from experiments.analysis.score_tables import columns_of, differences, names_of, scores

FOLDERS = ".", "experiments", "experiments/results", "experiments/testbed", "edgediff/control"
READMES = [str(ROOT / folder / "README.md") for folder in FOLDERS]
OPENING = r"<!-- ((?:table|differences) .*?) -->\n"
DEFAULT = "headline", "completion,reward"
DIFFERENCES = "d2sac minus the other, seed by seed: interquartile mean [95 %], share of seeds with a larger number"
BLOCK = re.compile(f"{OPENING}(.*?)<!-- end -->", re.DOTALL)


def made(marker: str, results: Path) -> str:
    """Return the table that a marker asks for."""
    kind, *words = marker.split()
    if kind == "table" and len(words) == 1:
        if words[0] not in TABLES:
            raise ConfigError(f"no table {words[0]}; there are {', '.join(TABLES)}")
        return TABLES[words[0]](results)
    if not 2 <= len(words) <= 4:
        raise ConfigError("a marker names grids, metrics, perhaps loads and rows, like headline reward 1,2 d2sac,sac")
    return grid_table(kind, *words, results=results)


def grid_table(kind: str, grids: str, metrics: str, loads: str = "", wanted: str = "", *, results: Path) -> str:
    """Return the scores of grids, or the differences from the first row of d2sac."""
    rows = read_together(grids.split(","), results)
    columns = columns_of(rows, metrics.split(","), loads.split(",") if loads else ())
    names = names_of(columns, wanted.split(",") if wanted else ())
    if kind == "table":
        return scores(columns, names)
    ours = next((name for name in names if name.split(",")[0] == "d2sac"), "")
    if not ours:
        raise ConfigError(f"differences: {grids} has no row d2sac; there are {', '.join(names)}")
    return differences(columns, names, ours)


def blocks(path: Path) -> list[re.Match]:
    """Return what stands between the markers of a file, in order; `ConfigError` names a marker without an end."""
    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({first_line(error)})") from None
    found = [*BLOCK.finditer(text)]
    closed = [block[1] for block in found if not re.search(OPENING, block[2])]
    for opening in re.finditer(OPENING, text):
        if opening[1] not in closed:
            raise ConfigError(f"{path}: {opening[1]}: there is no <!-- end --> behind this marker")
    outside = BLOCK.sub(lambda block: " " * len(block[0]), text)
    check_markers(path, outside)
    return sorted([*found, *NUMBER.finditer(outside)], key=re.Match.start)


def fresh(path: Path, results: Path) -> list[tuple[re.Match, str]]:
    """Return the blocks and numbers of a file, each with what should stand in it."""
    pairs = []
    for block in blocks(path):
        try:
            in_text = block.re is NUMBER
            pairs.append((block, number(block[1], block[2], results) if in_text else made(block[1], results) + "\n"))
        except ConfigError as error:
            raise ConfigError(f"{path}: {block[1]}: {error}") from None
    return pairs


def write(paths: list[Path], results: Path) -> int:
    """Write every table and number anew; nothing is written if one of them cannot be made."""
    texts = {}
    for path in paths:
        pairs, before, text, end = fresh(path, results), path.read_text(), "", 0
        for block, content in pairs:
            text += before[end : block.start(2)] + content
            end = block.end(2)
        texts[path] = text + before[end:]
    for path, text in texts.items():
        write_atomically(path, text.encode())
    return 0


def check(paths: list[Path], results: Path) -> int:
    """Name every table and number that is not what the CSVs give; return 1 if there is one."""
    stale = [f"{path}: {block[1]}" for path in paths for block, content in fresh(path, results) if block[2] != content]
    for line in stale:
        print(f"tables: {line}: differs from the results; write it anew with --write", file=sys.stderr)
    return 1 if stale else 0


def main(argv: list[str]) -> int:
    """Print the scores of grids and d2sac's differences from them; or write or check READMEs' tables and numbers."""
    parser = Parser("python -m experiments.analysis.tables GRIDS METRICS LOADS", main.__doc__)
    words = "grids, metrics, loads and rows, like headline reward 1,2; or files"
    parser.add_argument("words", nargs="*", default=(), help=words)
    parser.add_argument(
        "--write", action="store_true", help="write the tables and numbers of the files, by default all READMEs"
    )
    parser.add_argument("--check", action="store_true", help="name those that differ; then status 1")
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where grids are")
    args = parser.parse(argv)
    results = Path(args.results)
    if args.write and args.check:
        raise ConfigError("write: cannot be given together with --check")
    if args.write or args.check:
        return (write if args.write else check)([Path(path) for path in args.words or READMES], results)
    grids, metrics, *loads = [*args.words, *DEFAULT[len(args.words) :]]
    print(made(" ".join(["table", grids, metrics, *loads]), results))
    wanted = loads[1].split(",") if len(loads) > 1 else ["d2sac"]
    if "d2sac" in wanted and "d2sac" in set(read_together(grids.split(","), results)["variant"]):
        print(f"\n{DIFFERENCES}\n")
        print(made(" ".join(["differences", grids, metrics, *loads]), results))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` has seen enough
    sys.exit(run_program("tables", main))
