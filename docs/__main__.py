"""`python -m docs`: writes the tables and sentences with numbers of docs/ anew, between their marks."""

import logging
import sys

from docs import pages
from docs.measured import measure


def main(arguments: list[str]) -> int:
    """Writes; with `--measure`, evaluates first what has other weights than before (minutes), `--all` everything."""
    if unknown := set(arguments) - {"--measure", "--all"}:
        print(f"Error: known are --measure and --all; {' '.join(sorted(unknown))} was given.", file=sys.stderr)
        return 2
    logging.disable(logging.WARNING)  # streamlit says of every cache that no page runs
    if arguments:
        print("\n".join(f"measured {name}" for name in measure(again="--all" in arguments)) or "nothing to measure")
    for path in pages.PAGES:
        before, after = path.read_text(), pages.filled(path.read_text())
        if after != before:
            path.write_text(after)
            print(f"wrote {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
