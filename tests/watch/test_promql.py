"""Expressions taken apart; that the parts return data is asked of a real Prometheus elsewhere."""

from __future__ import annotations

import pytest

from tests.watch.promql import metric_names, operands


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("a", ["a"]),
        ("a > 1", ["a", "1"]),
        ("sum by (job) (rate(a_total[5m])) > 0", ["sum by ( job ) ( rate ( a_total [ 5m ] ) )", "0"]),
        ("a / b > 0.5 and on (stream) c == 1", ["a / b", "0.5", "c", "1"]),
        ("(a > 1) unless ignoring (x) group_left (y) (b or c)", ["a", "1", "b", "c"]),
        ("time() - a < bool 60", ["time ( ) - a", "60"]),
        ('count(a{b!="c"} == 0) by (d) > 2', ['count ( a { b != "c" } ) by ( d )', 'a { b != "c" }', "0", "2"]),
        ("absent(a)", ["( a )"]),
        ("absent(a > 1)", ["( a )", "a", "1"]),
        ("sum(absent(a)) or b", ["sum ( ( a ) )", "( a )", "b"]),
        ("x / (y > 0)", ["x / ( y )", "y", "0"]),
        ("max_over_time((a > 0)[5m:])", ["max_over_time ( ( a ) [ 5m : ] )", "a", "0"]),
        ('a{b=~"x > 1 and y"}  # a comment > 3', ['a { b =~ "x > 1 and y" }']),
        ("label_replace(a, 'x', '$1', 'y', '(.*)') > 1", ["label_replace ( a , 'x' , '$1' , 'y' , '(.*)' )", "1"]),
    ],
)
def test_operands(expression, parts):
    assert operands(expression) == parts


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (job, stream) (rate(a_total{kind="b"}[5m] offset 1h)) > bool 2', {"a_total"}),
        ("a * on (job) group_left (version) b_info", {"a", "b_info"}),
        ("stream:a:rate5m unless c or d == +Inf", {"stream:a:rate5m", "c", "d"}),
        ("count(a) by (job)", {"a"}),
        ('{__name__="a", job="x"}', {"a"}),
        ("histogram_quantile(0.9, sum(rate(a_bucket[1m])) by (le))", {"a_bucket"}),
    ],
)
def test_metric_names(expression, names):
    assert metric_names(expression) == names
