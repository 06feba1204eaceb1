"""``python -m tests.chaos``: what ``make chaos`` runs."""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.report import REQUIRED, shortfalls, table
from tests.chaos.run import Plan, Result, run, summary

_SHARE_OF_THREE_BROKERS = 0.25
_RECORDS = 100_000


def main() -> int:
    """0 when the contract held and the run counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--records", type=int, default=_RECORDS)
    parser.add_argument("--brokers", choices=("1", "3", "both"), default="both")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the summary there as well")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    again = f"make chaos KILLS={options.kills} SEED={seed} RECORDS={options.records} BROKERS={options.brokers}"
    say(f"seed {seed}; again: {again}")
    folder = Path(tempfile.mkdtemp(prefix="reconstream-chaos-"))
    results: list[Result] = []
    try:
        for plan in plans(seed, options.kills, options.records, options.brokers):
            say(f"{plan.brokers} broker(s): {plan.kills} kills over {plan.records} records or more")
            results.append(run(plan, folder / f"brokers-{plan.brokers}", say))
            say(str(results[-1].verdict))
    except AssertionError as error:
        say(f"FAILED: {error}")
    told = {"seed": seed, "again": again, **summary(results)}
    complete = len(results) == len(plans(seed, options.kills, options.records, options.brokers))
    clean = complete and all(result.clean for result in results)
    missing = shortfalls(told, REQUIRED)
    told |= {"clean": clean, "counts": not missing, "shortfalls": missing}
    if options.json is not None:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(table(told))
    if clean and not missing:
        shutil.rmtree(folder, ignore_errors=True)
        say("PASSED")
        return 0
    say("FAILED: the contract was broken" if not clean else "the run does not count: " + "; ".join(missing))
    say(f"logs and configuration: {folder}; again: {again}")
    return 1 if not clean else 2


def plans(seed: int, kills: int, records: int, brokers: str) -> list[Plan]:
    """One run on one broker, and a shorter one on three."""
    if brokers != "both":
        return [Plan(seed, kills, records, int(brokers))]
    three = max(1, round(kills * _SHARE_OF_THREE_BROKERS))
    share = round(records * three / kills)
    return [Plan(seed, kills - three, records - share, 1), Plan(seed + 1, three, share, 3)]


def say(text: str) -> None:
    """A line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
