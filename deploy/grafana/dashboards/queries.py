"""PromQL of the dashboards: what a variable selects, and the shapes of query that several panels ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PREFIX: Final = "reconstream_"
# At least four scrape intervals, so that there are always two samples to take a rate of.
RATE: Final = "$__rate_interval"
# The time range that the viewer looks at.
RANGE: Final = "$__range"
_JOB: Final = 'job=~"$job"'
_INSTANCE: Final = 'instance=~"$instance"'
_STREAM: Final = 'stream=~"$stream"'


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        expr: PromQL, with Grafana's variables in it.
        legend: Template of the name that a result has in the legend, such as ``{{stream}}``.
        colour: Fixed colour of its results; None leaves it to the panel.
        dashed: Drawn dashed, as limits and other models are.
        instant: Asked for the end of the time range only.
    """

    expr: str
    legend: str
    colour: str | None = None
    dashed: bool = False
    instant: bool = False


def streams(metric: str, *matchers: str) -> str:
    """A metric that has a label ``stream``, of the streams and instances that are selected."""
    return _selected(_prefixed(metric), _JOB, _INSTANCE, _STREAM, *matchers)


def instances(metric: str, *matchers: str) -> str:
    """A metric of a worker as a whole, of the instances that are selected."""
    return _selected(_prefixed(metric), _JOB, _INSTANCE, *matchers)


def replayed(metric: str, *matchers: str) -> str:
    """A metric of the replay that is selected, of the selected streams."""
    return _selected(f"{PREFIX}replay_{metric}", _INSTANCE, _STREAM, *matchers)


def recorded(rule: str, *matchers: str) -> str:
    """What a recording rule of ``deploy/prometheus`` made, of the streams or instances that are selected.

    A rule's name begins with the labels that it leaves beside the job.
    """
    level = rule.partition(":")[0]
    told_apart = [matcher for name, matcher in (("stream", _STREAM), ("instance", _INSTANCE)) if name in level]
    return _selected(rule, _JOB, *told_apart, *matchers)


def _prefixed(metric: str) -> str:
    return metric if metric.startswith("process_") else PREFIX + metric


def _selected(name: str, *matchers: str) -> str:
    return f"{name}{{{', '.join(matchers)}}}"


def total(selector: str, *by: str) -> str:
    """A gauge, summed over everything but some labels."""
    return f"{_sum(by)}({selector})"


def most(selector: str, *by: str, over: str = RATE) -> str:
    """A gauge at its greatest since the point before, so that nothing falls between two points, summed likewise."""
    return f"{_sum(by)}(max_over_time({selector}[{over}]))"


def rate(selector: str, *by: str) -> str:
    """A counter as events a second, summed over everything but some labels."""
    return f"{_sum(by)}(rate({selector}[{RATE}]))"


def counted(selector: str, *by: str, over: str = RANGE) -> str:
    """How often a counter counted in a time, as a whole number: Prometheus extrapolates to the edges of the time."""
    return f"round({_sum(by)}(increase({selector}[{over}])))"


def quantile(q: float, selector: str, *by: str, over: str = RATE) -> str:
    """A quantile of a histogram, whose metric ends with ``_bucket``; nothing, not NaN, where nothing was counted."""
    return f"histogram_quantile({q:g}, {_sum(('le', *by))}(rate({selector}[{over}]))) >= 0"


def share_above_threshold(buckets: str, *by: str, over: str = RATE) -> str:
    """Share of the windows whose score was above the threshold; nothing, rather than NaN, where nothing was scored.

    Args:
        buckets: A histogram of scores over threshold, whose metric ends with ``_bucket``.
        by: Labels that the share is told apart by.
        over: Time in which windows are counted.
    """
    below = buckets.replace("_bucket{", '_bucket{le="1.0", ')
    scored = buckets.replace("_bucket{", "_count{")
    return f"1 - {_sum(by)}(increase({below}[{over}])) / ({_sum(by)}(increase({scored}[{over}])) > 0)"


def _sum(by: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(by)}) " if by else "sum"
