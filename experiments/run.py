"""Run a grid of experiments: `python experiments/run.py SPEC.json [--workers 2]`.

A spec names a preset, agents, seeds, settings to sweep and traffic to score on. Each job is a process of its
own with one thread, and its result a CSV under results/NAME. What is done is not done again; what fails is named
at the end and takes nothing else down. Over several machines: `torchrun --nnodes ... experiments/run.py SPEC.json`;
the ranks split the grid, and rank 0 gathers.
"""

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import torch.distributed as dist
from job import CHOICES, LEARNERS, configurations, rules_and_oracle
from tqdm import tqdm

from edgediff.agents import CLASSES
from edgediff.commandline import Parser, guard
from edgediff.config import PRESETS, WorldConfig
from edgediff.errors import ConfigError

HERE = Path(__file__).parent
FIELDS = {"name": str, "preset": str, "agents": list, "seeds": list, "episodes": int, "evaluate": list,
          "learner": dict, "world": dict, "variants": dict}  # fmt: skip
MODES = sorted({mode for agent in CLASSES.values() for mode in agent.MODES})
OPTIONAL = {"learner": {}, "world": {}, "variants": {}}


def load_spec(path: str) -> dict:
    """Read and check a spec; `ConfigError` names the field that is wrong."""
    try:
        spec = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"spec: {path}: {str(error).splitlines()[0]}") from None
    if not isinstance(spec, dict):
        raise ConfigError(f"spec: {path}: not a JSON object")
    spec = OPTIONAL | spec
    for name in [*FIELDS, *spec]:
        if name not in FIELDS or name not in spec or not isinstance(spec[name], FIELDS[name]):
            kinds = ", ".join(f"{key} ({kind.__name__})" for key, kind in FIELDS.items())
            raise ConfigError(f"spec: {name}: unknown, missing or of the wrong kind; fields are {kinds}")
    known = [*LEARNERS, *rules_and_oracle()]
    for agent in spec["agents"]:
        if agent not in known:
            raise ConfigError(f"spec: agents: {agent!r} is not one of {', '.join(known)}")
    for name in ("agents", "seeds", "evaluate"):
        if not spec[name]:
            raise ConfigError(f"spec: {name}: empty, at least one is needed")
    if not all(type(seed) is int and seed >= 0 for seed in spec["seeds"]) or spec["episodes"] < 1:
        raise ConfigError(f"spec: seeds: {spec['seeds']} are not whole numbers from 0, or episodes is below 1")
    if spec["preset"] not in PRESETS:
        raise ConfigError(f"spec: preset: {spec['preset']!r} is not one of {', '.join(PRESETS)}")
    if not spec["name"].isidentifier():
        raise ConfigError(f"spec: name: {spec['name']!r} is not a plain word")
    return spec


def jobs_of(spec: dict) -> dict[str, dict]:
    """Spread a spec into jobs by name, each checked: agents x variants x seeds. Rules have no variants."""
    jobs = {}
    variants = spec["variants"] or {"": {}}
    for agent, variant, seed in product(spec["agents"], variants, spec["seeds"]):
        variant, changes = (variant, variants[variant]) if agent in LEARNERS else ("", {})
        settings = spec["learner"] | changes if agent in LEARNERS else {}
        world = spec["world"] | {k: settings.pop(k) for k in list(settings) if k in WorldConfig.__dataclass_fields__}
        job = dict(agent=agent, seed=seed, preset=spec["preset"], learner=settings, world=world,
                   evaluate=spec["evaluate"], episodes=spec["episodes"], variant=variant or agent)  # fmt: skip
        try:
            _, learner = configurations(job)
            for given in spec["evaluate"]:
                WorldConfig(**world | {k: v for k, v in given.items() if k not in CHOICES})
                replace(learner, **{k: v for k, v in given.items() if k in CHOICES and k != "mode"})
                if given.get("mode", "sample") not in MODES:
                    raise ConfigError(f"spec: mode: {given['mode']!r} is not one of {', '.join(MODES)}")
        except TypeError as error:
            raise ConfigError(f"spec: {error.args[0].split('__init__() got an ')[-1]}") from None
        name = "-".join(part for part in (agent, variant, str(seed)) if part)
        jobs["".join(c if c.isalnum() or c in "-." else "_" for c in name)] = job
    return jobs


def open_results(folder: Path, jobs: dict[str, dict], spec: dict) -> None:
    """Create the folder of a spec, or make sure that it belongs to these very jobs and settings."""
    settings = {name: [asdict(config) for config in configurations(job)] for name, job in jobs.items()}
    text = json.dumps([spec, settings], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    stamp = folder / "spec.json"
    if stamp.exists() and json.loads(stamp.read_text())["hash"] != digest:
        raise ConfigError(f"results: {folder} belongs to another version of this spec or of its settings (hash)")
    folder.mkdir(parents=True, exist_ok=True)
    stamp.write_text(json.dumps({"hash": digest, "spec": spec}, indent=2) + "\n")


def run_one(name: str, job: dict, folder: Path) -> tuple[str, str]:
    """Run a job in a process of its own; return its name and its error, empty if there is none."""
    command = [sys.executable, str(HERE / "job.py"), str(folder / f"{name}.csv")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, env=environment)
    if done.returncode == 0:
        return name, ""
    lines = done.stderr.strip().splitlines()
    return name, lines[-1] if lines else f"killed by signal {-done.returncode}"


def main(argv: list[str]) -> int:
    """Run every job of a spec that is not done yet."""
    parser = Parser("python experiments/run.py SPEC", main.__doc__)
    parser.add_argument("spec", metavar="SPEC", help="a JSON file, see experiments/specs")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time on this machine [2]")
    parser.add_argument("--results", default=str(HERE / "results"), help="folder of all results")
    args = parser.parse_args(argv)
    if args.workers < 1:
        raise ConfigError(f"workers: {args.workers} is not a whole number from 1")
    spec = load_spec(args.spec)
    jobs, folder = jobs_of(spec), Path(args.results) / spec["name"]
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    open_results(folder, jobs, spec)
    done = {path.stem for path in folder.glob("*.csv")}
    if world_size > 1:
        dist.init_process_group("gloo")
        everywhere = [None] * world_size
        dist.all_gather_object(everywhere, done)
        done = set.union(*everywhere)
    mine = [name for name in sorted(jobs) if name not in done][rank::world_size]
    failed = {}
    with ThreadPoolExecutor(args.workers) as pool, tqdm(total=len(mine), unit="job", disable=rank > 0) as bar:
        for future in as_completed(pool.submit(run_one, name, jobs[name], folder) for name in mine):
            name, error = future.result()
            failed |= {name: error} if error else {}
            bar.update()
    if world_size > 1:
        failed = gather(folder, [name for name in mine if name not in failed], failed, rank, world_size)
    if rank == 0:
        print(f"{len(jobs) - len(failed)} of {len(jobs)} jobs are in {folder}")
        for name, error in sorted(failed.items()):
            print(f"failed: {name}: {error}")
    return 1 if failed else 0


def gather(folder: Path, finished: list[str], failed: dict[str, str], rank: int, world_size: int) -> dict[str, str]:
    """Send this rank's results to rank 0, which writes those it lacks; return all failures there."""
    results = {name: (folder / f"{name}.csv").read_text() for name in finished}
    gathered = [None] * world_size if rank == 0 else None
    dist.gather_object((results, failed), gathered)
    dist.destroy_process_group()
    for others, errors in gathered or []:
        failed = failed | errors
        for name, text in others.items():
            if not (folder / f"{name}.csv").exists():
                (folder / f"{name}.csv").write_text(text)
    return failed


if __name__ == "__main__":
    sys.exit(guard("run", main))
