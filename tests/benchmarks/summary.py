"""Write the table of all benchmarks into results/benchmarks/README.md, from the JSON files beside it.

    python tests/benchmarks/summary.py [--out FOLDER]

A runner that compares gives one row per comparison, the others a row that says where to look.
"""

import json

from common import arguments

from ecgtune.files import write_text

BEGIN, END = "<!-- table: tests/benchmarks/summary.py -->", "<!-- end of table -->"
HEAD = ("| benchmark | what | ours | baseline | ratio | command |", "|---|---|---|---|---|---|")


def table(files):
    """The lines of the table."""
    lines = [*HEAD]
    for file in sorted(files):
        content = json.loads(file.read_text(encoding="utf-8"))
        name, command = file.stem, f"`{content['provenance']['command']}`"
        for row in content.get("comparisons", []):
            target = f" (target {row['target']:g})" if "target" in row else ""
            cells = (
                f"[{name}]({file.name})",
                row["what"],
                f"{number(row['ours'])} {row['unit']}",
                f"{number(row['baseline'])} {row['unit']}",
                f"{number(row['ratio'])}{target}",
                command,
            )
            lines.append(f"| {' | '.join(cells)} |")
        if not content.get("comparisons"):
            lines.append(f"| [{name}]({file.name}) | figures in the file | | | | {command} |")
    return lines


def number(value):
    """Three digits that matter, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main():
    options = arguments(__doc__).parse_args()
    readme = options.out / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    lines = table(options.out.glob("*.json"))
    write_text(readme, "\n".join([before + BEGIN, *lines, END]) + rest.partition(END)[2])
    print("\n".join(lines))


if __name__ == "__main__":
    main()
