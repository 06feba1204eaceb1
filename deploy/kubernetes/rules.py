"""Writes the rules of deploy/prometheus as a PrometheusRule, the form that the Prometheus Operator takes.

python -m deploy.kubernetes.rules            # writes components/monitoring/prometheusrule.yaml
python -m deploy.kubernetes.rules --check    # ends with 1 if it is not as generated
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RULES = HERE.parent / "prometheus"
TARGET = HERE / "components" / "monitoring" / "prometheusrule.yaml"
_HEAD = """\
# Made by `python -m deploy.kubernetes.rules` from deploy/prometheus, where they are explained; do not edit.
"""


def prometheus_rule(files: Sequence[Path]) -> dict[str, Any]:
    """The groups of all files, in the order of their names, as one object of the API."""
    groups = [group for path in sorted(files) for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    labels = {"app.kubernetes.io/name": "reconstream", "app.kubernetes.io/part-of": "reconstream"}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "reconstream", "labels": labels},
        "spec": {"groups": groups},
    }


def text() -> str:
    """What belongs into the file."""
    document = prometheus_rule(list(RULES.glob("*.rules.yaml")))
    return _HEAD + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def main(arguments: Sequence[str]) -> int:
    """Write the file, or check it; the exit status."""
    if "--check" in arguments:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text():
            return 0
        sys.stderr.write(f"{TARGET} is not as generated; run python -m deploy.kubernetes.rules\n")
        return 1
    TARGET.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
