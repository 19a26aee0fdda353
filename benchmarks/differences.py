"""Speaks texts through a simulated service that differs from our picture of it, with and without
faults, and prints for each difference (or pair) the requests a chunk, what failed, the words that
were lost without a word said about it, and what was noted.

    python benchmarks/differences.py                      # every difference alone
    python benchmarks/differences.py --pairs 100          # so many pairs, drawn from --seed
    python benchmarks/differences.py --fault hole=0.3     # the same with faults (repeatable)
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.backends.edge.differences import HARMLESS, UNSPOKEN, Difference
from tests.backends.edge.faults import Mixture
from tests.backends.edge.simulator import EdgeSimulator
from tests.backends.edge.test_differences import TEXTS, speak

_CHUNKS, _SENTENCES = 19, 6


def long_texts(chance: random.Random) -> tuple[str, ...]:
    """As many texts as a short book has chunks, made of sentences in any order."""
    sentences = [s.strip() + "." for text in TEXTS for s in text.split(".") if s.strip()]
    return tuple(
        f"Глава {number}. " + " ".join(chance.choices(sentences, k=_SENTENCES))
        for number in range(1, _CHUNKS + 1)
    )


def rows(arguments: argparse.Namespace) -> list[tuple[Difference, ...]]:
    """The differences to try."""
    known = (*HARMLESS, *UNSPOKEN)
    if not arguments.pairs:
        return [(difference,) for difference in known]
    pairs = list(itertools.combinations(known, 2))
    return random.Random(arguments.seed).sample(pairs, min(arguments.pairs, len(pairs)))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=SHARE")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    shares = {name: float(share) for name, _, share in (f.partition("=") for f in arguments.fault)}
    texts = long_texts(random.Random(arguments.seed))
    for differences in rows(arguments):
        faults = Mixture(shares, seed=arguments.seed)
        with tempfile.TemporaryDirectory() as folder:
            outcome = speak(EdgeSimulator(faults, differences=differences), Path(folder), texts)
        name = " + ".join(difference.name for difference in differences)
        doubts = ", ".join(f"{count} {kind}" for kind, count in sorted(outcome.doubts.items()))
        sys.stdout.write(
            f"{name:<48} {outcome.requests:5.2f} requests  {outcome.failed} failed  "
            f"{outcome.unseen} lost unseen  {doubts or '-'}\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
