from __future__ import annotations

import traceback

import pytest

from detector.errors import ConfigError

STREAM = """\
streams:
  - name: servers
    topic: telemetry
    model: models/servers
"""


def test_every_problem_is_named_at_once_with_its_line(problems):
    text = """\
kafka:
  bootstrap_servers: localhost
  security_protcol: SSL
worker:
  max_poll_records: many
  delivery: exactly-once
streams:
  - name: a b
    topic: t
    record:
      decoder: jsn
      time_field: ${TIME}
      series_fields: ["a..b"]
      series_fields: [c]
  - name: two
    topic: t2
    model: m
    record:
      time_field: "'x"
"""
    env = {"RECONSTREAM_HTTP__PORT": "x", "RECONSTREAM_HTTP__PROT": "1"}
    assert problems(text, env) == [
        "detector.yaml:2: kafka.bootstrap_servers: 'localhost' is not an address; write host:port",
        "detector.yaml:3: kafka.security_protcol: there is no such setting; did you mean 'security_protocol'?",
        "detector.yaml:5: worker.max_poll_records: 'many' is not a whole number; write digits only",
        "detector.yaml:6: worker.delivery: 'exactly-once' is not one of exactly_once, at_least_once; "
        "did you mean 'exactly_once'?",
        "detector.yaml:8: streams[0].name: 'a b' is not a stream name; "
        "use at most 100 letters, digits, '.', '_' and '-'",
        "detector.yaml:8: streams[0].model: is missing; add it: Directory of a bundle written by 'detector train'",
        "detector.yaml:11: streams[0].record.decoder: there is no decoder 'jsn'; did you mean 'json'? "
        "known decoders: json, row",
        "detector.yaml:12: streams[0].record.time_field: the environment variable TIME is not set; "
        "set it, or write ${TIME:-default}",
        "detector.yaml:13: streams[0].record.series_fields[0]: the path 'a..b' has an empty name; "
        "write names separated by single dots",
        "detector.yaml:14: streams[0].record.series_fields: given twice, first on line 13; remove one",
        'detector.yaml:19: streams[1].record.time_field: the path "\'x" has a quote that is not closed; '
        "close it, or write \\' for a literal one",
        "environment: RECONSTREAM_HTTP__PORT: http.port: 'x' is not a whole number; write digits only",
        "environment: RECONSTREAM_HTTP__PROT: names no setting; did you mean 'RECONSTREAM_HTTP__PORT'?",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": streams: is missing; add it: The input topics, each with its model"),
        ("# nothing\n", ": streams: is missing; add it: The input topics, each with its model"),
        ("- a\n", ":1: the file is not a mapping; write settings as 'key: value' lines"),
        ("just text", ":1: the file is not a mapping; write settings as 'key: value' lines"),
        ("streams: []\n", ":1: streams: is empty; write at least one item"),
        ("streams:\n", ":1: streams: is empty; give it a list"),
        (
            STREAM.replace("models/servers", "registry://models/servers"),
            ":4: streams[0].model: 'registry://models/servers' names no alias and no version; write "
            "registry://DIRECTORY/NAME@ALIAS, or for example s3://BUCKET/FOLDER/NAME@ALIAS; a version may stand for "
            "ALIAS",
        ),
        (
            STREAM.replace("models/servers", "s3://../..@champion"),
            ":4: streams[0].model: '..' is not the name of a model; use up to 100 letters, digits, '.', '_' and '-', "
            "with a letter or digit first",
        ),
        (
            STREAM.replace("models/servers", "[a]"),
            ":4: streams[0].model: is not a path; write the name of a file or directory",
        ),
        (
            "streams: {name: a}\n",
            ":1: streams: is not a list; write [first, second], or one item a line, each after '- '",
        ),
        (
            "streams: [a]\n",
            ":1: streams[0]: is not a section; write its settings below it, each indented on a line of its own",
        ),
        (
            "kafka: {sasl: [\n",
            ":2: not YAML (expected the node content, but found text); "
            "check indentation, colons and quotes here and on the line before",
        ),
        (
            "a: 'b\n",
            ":2: not YAML (found unexpected end of stream); "
            "check indentation, colons and quotes here and on the line before",
        ),
        (
            "a: b: c\n",
            ":1: not YAML (mapping values are not allowed here); "
            "check indentation, colons and quotes here and on the line before",
        ),
        ("a: 1\n---\nb: 2\n", ":2: a second YAML document begins here; a settings file holds one"),
        ("a: \x01\n", ":1: the character U+0001 is not allowed in YAML; remove it"),
        ("a: &x [*x]\n", ": nested too deeply, or too many values through aliases; write it out plainly"),
        ("a: &x {<<: *x}\n", ": nested too deeply, or too many values through aliases; write it out plainly"),
        ("a: " + "[" * 2000 + "\n", ": nested too deeply, or too many values through aliases; write it out plainly"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{n}: &{n} [{','.join([f'*{p}'] * 10)}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True)),
            ": nested too deeply, or too many values through aliases; write it out plainly",
        ),
    ],
)
def test_what_is_no_settings_file_says_why(problems, text, message):
    assert problems(text) == [f"detector.yaml{message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "x: 1",
            ":5: x: there is no such setting; known here: kafka, worker, topics, streams, registry, http, "
            "dashboard, log",
        ),
        (
            "http: {5: 1}",
            ":5: http.5: there is no such setting; known here: host, port, stalled_after_seconds, tls, auth",
        ),
        ("http: {[a]: 1}", ":5: http: a key must be plain text; put text with brackets or braces in quotes"),
        ("http: {port: 1, port: 1}", ":5: http.port: given twice, first on line 5; remove one"),
        ("http: {port: 70000}", ":5: http.port: 70000 is out of range; write a number that is at most 65535"),
        (
            "http: {auth: {username: 'a:b', password: c}}",
            ":5: http.auth.username: 'a:b' is not allowed; write what clients log in as, without a colon",
        ),
        ("http: {port: 1.5}", ":5: http.port: 1.5 is not a whole number; write digits only"),
        ("http: {port: }", ":5: http.port: is empty; give it a whole number, or remove the line"),
        ("http: 9464", ":5: http: is not a section; write its settings below it, each indented on a line of its own"),
        ("http: {host: 5}", ":5: http.host: 5 is not text; put it in quotes"),
        ("http: {host: !x y}", ":5: http.host: an unknown tag (!name); put text that begins with '!' in quotes"),
        ("http: {host: 2026-99-01}", ":5: http.host: looks like a date or a number but is none; put text in quotes"),
        ("http: {<<: 5}", ":5: http: << takes a mapping, or a list of mappings; name an anchor such as *base"),
        ("http: {host: *nowhere}", ":5: an alias (*name) without its anchor; put text that begins with '*' in quotes"),
        (
            "http: {host: '${A B}'}",
            ":5: http.host: ${ does not begin ${NAME} or ${NAME:-default}; write $${ for a literal one",
        ),
        (
            "worker: {session_timeout_seconds: 1s}",
            ":5: worker: session_timeout_seconds 1 s would let a short pause of the process cost its partitions; set "
            "3 s or more (brokers refuse less than 6 s unless their group.min.session.timeout.ms is lower)",
        ),
        (
            "worker: {session_timeout_seconds: 10m}",
            ":5: worker: session_timeout_seconds 600 s is longer than max_poll_interval_seconds 300 s, which would "
            "then have no effect on a worker that died; lower the one or raise the other",
        ),
        (
            "worker: {max_poll_interval_seconds: 1m}",
            ":5: worker: max_poll_interval_seconds 60 s is too short for transaction_timeout_seconds 10 s: when "
            "brokers do not answer, one commit takes up to 60 s, and that must be at most half of it; set "
            "max_poll_interval_seconds to 120 s or more, or lower transaction_timeout_seconds",
        ),
        (
            "worker: {delivery: at_least_once, max_poll_interval_seconds: 49s}",
            ":5: worker: max_poll_interval_seconds 49 s is too short for transaction_timeout_seconds 10 s: when "
            "brokers do not answer, one commit takes up to 25 s, and that must be at most half of it; set "
            "max_poll_interval_seconds to 50 s or more, or lower transaction_timeout_seconds",
        ),
        (
            "http: {stalled_after_seconds: soon}",
            ":5: http.stalled_after_seconds: 'soon' is not a duration; "
            "write seconds or text such as 90s, 5m, 1h30m, 7d",
        ),
        (
            "http: {stalled_after_seconds: 1h x}",
            ":5: http.stalled_after_seconds: '1h x' is not a duration; "
            "write seconds or text such as 90s, 5m, 1h30m, 7d",
        ),
        (
            "http: {stalled_after_seconds: [1]}",
            ":5: http.stalled_after_seconds: is not a duration; write seconds, or text such as 90s, 5m, 1h30m, 7d",
        ),
        (
            "http: {stalled_after_seconds: 0}",
            ":5: http.stalled_after_seconds: 0 is out of range; write a number that is greater than 0",
        ),
        (
            "http: {stalled_after_seconds: .nan}",
            ":5: http.stalled_after_seconds: nan is out of range; write a number that is greater than 0",
        ),
        (
            "http: {stalled_after_seconds: .inf}",
            ":5: http.stalled_after_seconds: inf is not a duration; write seconds, or text such as 90s, 5m, 1h30m, 7d",
        ),
        ("topics: {create: maybe}", ":5: topics.create: 'maybe' is not true or false; write true or false"),
        (
            "topics: {events: a b}",
            ":5: topics.events: 'a b' is not a topic name; use at most 249 letters, digits, '.', '_' and '-'",
        ),
        (
            "topics: {retention_seconds: 0}",
            ":5: topics.retention_seconds: 0 s keeps nothing; write a longer time, or -1 for ever",
        ),
        (
            "topics: {events: x, state: x}",
            ":1: the topic 'x' is named twice; "
            "events, dead_letters, state, epochs, feedback and the streams' topics must all differ",
        ),
        (
            "topics: {events: telemetry}",
            ":1: the topic 'telemetry' is named twice; "
            "events, dead_letters, state, epochs, feedback and the streams' topics must all differ",
        ),
        (
            "log: {level: WARN}",
            ":5: log.level: 'WARN' is not one of debug, info, warning, error; did you mean 'warning'?",
        ),
        ("log: {level: loud}", ":5: log.level: 'loud' is not one of debug, info, warning, error; write one of these"),
        ("worker: {group: ''}", ":5: worker.group: is empty; write some text"),
        ("worker: {group: yes}", ":5: worker.group: true is not text; put it in quotes"),
        ("kafka: {bootstrap_servers: []}", ":5: kafka.bootstrap_servers: name at least one host:port"),
        ("kafka: {bootstrap_servers: [a:0]}", ":5: kafka.bootstrap_servers: 'a:0' is not an address; write host:port"),
        (
            "kafka: {bootstrap_servers: ['a:²']}",
            ":5: kafka.bootstrap_servers: 'a:²' is not an address; write host:port",
        ),
        ("kafka: {bootstrap_servers: [1]}", ":5: kafka.bootstrap_servers[0]: 1 is not text; put it in quotes"),
        (
            "kafka: {security_protocol: SASL_SSL}",
            ":5: kafka: security_protocol SASL_SSL needs a sasl section; add mechanism and login",
        ),
        (
            "kafka: {sasl: {mechanism: PLAIN, username: a, password: b}}",
            ":5: kafka: the sasl section has no effect with security_protocol PLAINTEXT; "
            "set security_protocol to SASL_SSL, or remove the section",
        ),
        (
            "kafka: {sasl: {mechanism: OAUTHBEARER}}",
            ":5: kafka.sasl: OAUTHBEARER needs token_file; name a file that holds the token",
        ),
        ("kafka: {sasl: {mechanism: PLAIN}}", ":5: kafka.sasl: PLAIN needs username; add it"),
        (
            "kafka: {sasl: {mechanism: PLAIN, username: a}}",
            ":5: kafka.sasl: PLAIN needs exactly one of password and password_file; it has neither",
        ),
        (
            "kafka: {sasl: {mechanism: PLAIN, username: a, password: b, password_file: c}}",
            ":5: kafka.sasl: PLAIN needs exactly one of password and password_file; it has both",
        ),
        (
            "kafka: {tls: {cert_file: a}}",
            ":5: kafka.tls: mutual TLS needs both cert_file and key_file; add the one that is missing",
        ),
        ("kafka: {tls: {ca_file: [a]}}", ":5: kafka.tls.ca_file: is not a path; write the name of a file or directory"),
        ("    topic: again", ":5: streams[0].topic: given twice, first on line 3; remove one"),
        (
            "    record: {value_field: v}",
            ":5: streams[0].record: value_field has no effect with layout wide; remove it, or set layout to tall",
        ),
        (
            "    record: {layout: tall, channels_under: f}",
            ":5: streams[0].record: channels_under has no effect with layout tall; remove it, or set layout to wide",
        ),
        (
            "    record: {time_unit: ms}",
            ":5: streams[0].record: time_unit has no effect without time_field; name the field, or remove time_unit",
        ),
        (
            "    record: {series_fields: host}",
            ":5: streams[0].record.series_fields: 'host' is not a list; "
            "write [first, second], or one item a line, each after '- '",
        ),
        (
            "    record: {channel_fields: [a]}",
            ":5: streams[0].record.channel_fields: is not a table of names; "
            "write 'name: value' lines below it, each indented",
        ),
        (
            "    record: {channel_fields: {cpu: 5}}",
            ":5: streams[0].record.channel_fields.cpu: 5 is not text; put it in quotes",
        ),
        (
            "    record: {decoder: row}",
            ":5: streams[0].record.decoder: 'row' reads rows of files, not records of a topic; write json",
        ),
        (
            "    metrics: {series: [a, b, a]}",
            ":5: streams[0].metrics.series: 'a' is listed twice; remove one of the two",
        ),
        (
            "    metrics: {series: ['']}",
            ":5: streams[0].metrics.series: a name is empty; write the series as events name it",
        ),
        (
            f"    metrics: {{series: [{', '.join(f's{number}' for number in range(201))}]}}",
            ":5: streams[0].metrics.series: holds 201; at most 200",
        ),
        (
            "    incidents: {warning_ratio: 5, critical_ratio: 2}",
            ":5: streams[0].incidents: critical_ratio 2 is below warning_ratio 5; write a greater one",
        ),
        (
            "    window: {min_coverage: -0.5}",
            ":5: streams[0].window.min_coverage: -0.5 is out of range; write a number that is greater than 0",
        ),
        (
            "  - {name: servers, topic: t2, model: m}",
            ":1: two streams have the name 'servers'; give each a name of its own",
        ),
        (
            "  - {name: other, topic: telemetry, model: m}",
            ":1: two streams read the topic 'telemetry'; give each stream a topic of its own",
        ),
    ],
)
def test_a_wrong_setting_says_what_to_do(problems, text, message):
    assert problems(STREAM + text + "\n") == [f"detector.yaml{message}"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RECONSTREAM_HTTP_PORT", "names no setting; did you mean 'RECONSTREAM_HTTP__PORT'?"),
        ("RECONSTREAM_HTTPS__PORT", "names no setting; did you mean 'RECONSTREAM_HTTP__PORT'?"),
        (
            "RECONSTREAM_KAFKA",
            "names a section; write that in the file, or set one of its settings, such as "
            "RECONSTREAM_KAFKA__BOOTSTRAP_SERVERS",
        ),
        (
            "RECONSTREAM_STREAMS",
            "names a section; write that in the file, or set one of its settings, such as RECONSTREAM_STREAMS__0__NAME",
        ),
        (
            "RECONSTREAM_STREAMS__0",
            "names a section; write that in the file, or set one of its settings, such as RECONSTREAM_STREAMS__0__NAME",
        ),
        (
            "RECONSTREAM_STREAMS__2__TOPIC",
            "streams[2].topic: there are 1 streams, counted from 0; the next one is 1",
        ),
        (
            "RECONSTREAM_STREAMS__0__RECORD__CHANNEL_FIELDS",
            "streams[0].record.channel_fields: is not YAML; write it as {name: path}",
        ),
        (
            "RECONSTREAM_STREAMS__0__RECORD__SERIES_FIELDS",
            "streams[0].record.series_fields: is not YAML; write it as [first, second]",
        ),
    ],
)
def test_a_wrong_variable_says_what_to_do(problems, name, message):
    assert problems(env={name: "[{"}) == [f"environment: {name}: {message}"]


@pytest.mark.parametrize(
    "text",
    [
        "kafka: {sasl: {mechanism: PLAIN, username: 5, password: hunter2}}",
        "kafka: {sasl: {mechanism: PLAIN, username: a, password: [hunter2]}}",
        "kafka: {sasl: hunter2}",
        "kafka: {sasl: [mechanism, hunter2]}",
        "kafka: {sasl: {mechanism: PLAIN, username: a, password: hunter2, extra: 1}}",
        "kafka: {sasl: {mechanism: PLAIN, username: a, password: *hunter2 }}",
        "kafka: {sasl: {mechanism: PLAIN, username: a, password: !hunter2 }}",
        "kafka: {security_protocol: SSL, sasl: {mechanism: PLAIN, username: a, password: hunter2}}",
    ],
)
def test_a_problem_never_shows_a_secret_not_even_in_its_traceback(load, text):
    with pytest.raises(ConfigError) as caught:
        load(STREAM + text)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
