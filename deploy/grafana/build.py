"""Writes the dashboards and the alert rules: ``python deploy/grafana/build.py``.

Events come from Loki, where falcosidekick puts them (``deploy/falcosidekick/config.yaml``); numbers come from the
metrics endpoint of Falco's web server.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from grafana_foundation_sdk.builders import (
    alerting,
    bargauge,
    common,
    dashboard,
    expr,
    heatmap,
    logs,
    loki,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import alerting as alerting_model
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model

HERE = Path(__file__).parent
LOKI = model.DataSourceRef(type_val="loki", uid="${loki}")
PROMETHEUS = model.DataSourceRef(type_val="prometheus", uid="${prometheus}")
SCHEMA_VERSION = 42
"""Of Grafana 12 and newer; the SDK writes an older one.  Nothing that 37 to 42 migrate is used in these dashboards."""
METRIC = "falcosecurity_plugins_tfdrift_"
"""What Falco puts before the plugin's metrics; it puts ``_total`` after every one, gauges too."""

COLORS = {"Critical": "red", "Error": "orange", "Warning": "yellow", "Notice": "blue"}
FIELDS = {
    "user": "drift.user",
    "resource": "drift.resource",
    "workspace": "tf.workspace",
    "type": "tf.type",
    "kind": "drift.kind",
    "attribute": "drift.attribute",
    "path": "drift.path",
    "old": "drift.old_value",
    "new": "drift.new_value",
    "change": "drift.change",
    "call": "ct.name",
    "hint": "drift.hint",
    "state": "tf.state",
    "id": "drift.id",
    "opened_id": "drift.opened_id",
    "duration": "drift.duration",
}
"""Label of a query, and the field of the alert that it shows."""

CHOSEN = 'cloud_account=~"$account", cloud_service=~"$service"'
WHAT = (
    "{{.resource}} {{.kind}}{{if .path}} {{.path}}: {{if .change}}{{.change}}{{else}}{{.old}} → {{.new}}{{end}}{{end}}"
)
LINE = WHAT + " by {{.user}} with {{.call}}. {{.hint}}"


CHANGES = 'kind!~"resolved|open|attempted|expected"'
"""What changed now: no end of a drift, no reminder of one, no attempt."""
ENDS = 'kind="resolved"'


def drift(*labels: str, where: str = CHOSEN, kinds: str = CHANGES) -> str:
    """LogQL for drift alerts of some kinds (all: ``""``), with ``labels`` taken out of their fields."""
    stream = "{" + ", ".join(filter(None, ('source="tfdrift"', where))) + "}"
    wanted = dict.fromkeys((*labels, "kind") if kinds else labels)
    parsed = ", ".join(f'{label}="output_fields[\\"{FIELDS[label]}\\"]"' for label in wanted)
    return " | ".join(filter(None, (stream, f"json {parsed}" if wanted else "", kinds)))


def counted(query: str, by: Sequence[str], over: str) -> str:
    grouping = f" by ({', '.join(by)})" if by else ""
    return f"sum{grouping} (count_over_time({query} [{over}]))"


def lines(where: str = CHOSEN, condition: str = "", kinds: str = CHANGES) -> str:
    labels = ("resource", "kind", "path", "old", "new", "change", "user", "call", "hint")
    return f'{drift(*labels, where=where, kinds=kinds)}{condition} | line_format "{LINE}"'


def events(text: str, *, instant: bool = False, legend: str = "", ref: str = "A") -> loki.Dataquery:
    query = loki.Dataquery().expr(text).ref_id(ref).legend_format(legend)
    return query.query_type("instant" if instant else "range")


def numbers(text: str, *, ref: str = "A", legend: str = "") -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(text).ref_id(ref).legend_format(legend).range()


# --- panels ----------------------------------------------------------------------------------------------------------


def bars(title: str, text: str, legend: str) -> timeseries.Panel:
    panel = timeseries.Panel().title(title).datasource(LOKI).with_target(events(text, legend=legend))
    panel.draw_style(common_model.GraphDrawStyle.BARS).fill_opacity(80).decimals(0).min(0).height(8)
    panel.stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))
    for name, color in COLORS.items():
        panel.override_by_name(name, [_color(color)])
    return panel


def _color(color: str) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def total(title: str, text: str, color: str = "text") -> stat.Panel:
    panel = stat.Panel().title(title).datasource(LOKI).with_target(events(text, instant=True)).height(4).span(6)
    panel.no_value("0").decimals(0).graph_mode(common_model.BigValueGraphMode.NONE)
    panel.reduce_options(common.ReduceDataOptions().calcs(["sum"]))
    return panel.color_scheme(model_color(color))


def model_color(color: str) -> Builder[model.FieldColor]:
    return dashboard.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(color)


def log(title: str, text: str) -> logs.Panel:
    panel = logs.Panel().title(title).datasource(LOKI).with_target(events(text)).show_time(True).height(10)
    return panel.wrap_log_message(True).enable_log_details(True).sort_order(common_model.LogsSortOrder.DESCENDING)


def tally(title: str, text: str, links: Mapping[str, str]) -> table.Panel:
    """A table of counts; a cell in a column of ``links`` leads to that dashboard with its value chosen."""
    panel = table.Panel().title(title).datasource(LOKI).with_target(events(text, instant=True)).height(9)
    panel.with_transformation(model.DataTransformerConfig(id_val="labelsToFields", options={"mode": "columns"}))
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    hide = {"excludeByName": {"Time": True}, "renameByName": {"Value #A": "changes"}}
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=hide))
    for column, url in links.items():
        link = {"title": "Show", "url": f"{url}&${{loki:queryparam}}&${{__url_time_range}}"}
        panel.override_by_name(column, [model.DynamicConfigValue(id_val="links", value=[link])])
    return panel


def still_open(title: str) -> table.Panel:
    """What was opened in the chosen range, without what was resolved in it: the two are joined by the drift's id."""
    opened = counted(drift(*ATTRIBUTE, "id"), ("id", "priority", *ATTRIBUTE), "$__range")
    ended = drift("id", kinds=ENDS).replace(FIELDS["id"], FIELDS["opened_id"])
    panel = table.Panel().title(title).datasource(LOKI).height(9).with_target(events(opened, instant=True))
    panel.with_target(events(counted(ended, ("id",), "$__range"), instant=True, ref="B"))
    missing = {"fieldName": "Value #B", "config": {"id": "isNull", "options": {}}}
    steps = {
        "labelsToFields": {"mode": "columns"},
        "joinByField": {"byField": "id", "mode": "outer"},
        "filterByValue": {"filters": [missing], "match": "all", "type": "include"},
        "organize": {
            "excludeByName": dict.fromkeys(("id", "Time", "Time 1", "Time 2", "Value #A", "Value #B"), True),
            "indexByName": {name: place for place, name in enumerate(("priority", *ATTRIBUTE))},
        },
    }
    for name, options in steps.items():
        panel.with_transformation(model.DataTransformerConfig(id_val=name, options=options))
    return panel


def lasted(title: str, label: str, stream_label: bool) -> bargauge.Panel:
    """How long drift was open on average, of what ended in the chosen range."""
    ended = drift("duration", *(() if stream_label else (label,)), kinds=ENDS)
    text = f"avg by ({label}) (avg_over_time({ended} | unwrap duration [$__range]))"
    panel = bargauge.Panel().title(title).datasource(LOKI).unit("ns").height(8).no_value("nothing ended")
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.with_target(events(text, instant=True, legend=f"{{{{{label}}}}}"))


def graph(title: str, queries: Mapping[str, str], unit: str = "short", description: str = "") -> timeseries.Panel:
    panel = timeseries.Panel().title(title).description(description).datasource(PROMETHEUS).unit(unit).min(0)
    for number, (legend, text) in enumerate(queries.items()):
        panel.with_target(numbers(text, ref=chr(ord("A") + number), legend=legend))
    return panel.height(8).span(12)


# --- dashboards ------------------------------------------------------------------------------------------------------


def source_variable(name: str) -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable(name).label(name.capitalize()).type(name)


def label_variable(name: str, label: str, stream: str) -> dashboard.QueryVariable:
    """A choice of the values of a stream label; LabelValues is 1 in the Loki plugin's variable editor."""
    query: dict[str, object] = {"refId": name, "type": 1, "label": label, "stream": stream}
    variable = dashboard.QueryVariable(name).label(name.capitalize()).datasource(LOKI).query(query).multi(True)
    return variable.include_all(True).all_value(".*").refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)


def board(uid: str, title: str, description: str) -> dashboard.Dashboard:
    made = dashboard.Dashboard(title).uid(uid).description(description).tags(["tfdrift", "falco", "terraform"])
    made.time("now-24h", "now").refresh("1m").timezone("browser").readonly()
    return made.link(
        dashboard.DashboardLink("TFDrift").type(model.DashboardLinkType.DASHBOARDS).tags(["tfdrift"]).keep_time(True)
    )


def with_events(made: dashboard.Dashboard) -> dashboard.Dashboard:
    made.with_variable(source_variable("loki"))
    made.with_variable(label_variable("account", "cloud_account", '{source="tfdrift"}'))
    made.with_variable(label_variable("service", "cloud_service", '{source="tfdrift", cloud_account=~"$account"}'))
    return made


RESOURCE = ("resource", "workspace", "type")
ATTRIBUTE = ("resource", "workspace", "path", "user")
TO_RESOURCE = "/d/tfdrift-resources?var-resource=${__value.raw:percentencode}"
TO_PERSON = "/d/tfdrift-people?var-user=${__value.raw:percentencode}"
SEVERE = 'priority=~"Emergency|Alert|Critical"'


def overview() -> dashboard.Dashboard:
    made = with_events(board("tfdrift-overview", "TFDrift: overview", "What was changed outside Terraform."))
    for name in ("Critical", "Error", "Warning", "Notice"):
        where = f'{CHOSEN}, priority="{name}"'
        made.with_panel(total(name, counted(drift(where=where), (), "$__range"), COLORS[name]))
    made.with_panel(
        bars("Changes by service", counted(drift(), ("cloud_service",), "$__auto"), "{{cloud_service}}").span(12)
    )
    made.with_panel(bars("Changes by severity", counted(drift(), ("priority",), "$__auto"), "{{priority}}").span(12))
    made.with_panel(log("Critical changes", lines(f"{CHOSEN}, {SEVERE}")).span(24))
    made.with_panel(still_open("Open: opened in this range and not ended").span(24))
    against = bars("Opened and resolved", counted(drift(), (), "$__auto"), "opened").span(8)
    ended = counted(drift(kinds=ENDS), (), "$__auto")
    made.with_panel(against.with_target(events(ended, legend="resolved", ref="B")))
    made.with_panel(lasted("Time to resolve, by service", "cloud_service", True).span(8))
    made.with_panel(lasted("Time to resolve, by state", "state", False).span(8))
    found = counted(drift(*RESOURCE), (*RESOURCE, "priority"), "$__range")
    made.with_panel(tally("Resources", found, {"resource": TO_RESOURCE}).span(12))
    made.with_panel(tally("Rules", counted(drift(), ("rule", "priority"), "$__range"), {}).span(12))
    return made


def services() -> dashboard.Dashboard:
    made = with_events(board("tfdrift-services", "TFDrift: services", "A timeline of changes for each service."))
    row = dashboard.Row("$service").repeat("service")
    made.with_row(row)
    attributes = counted(drift("attribute") + ' | attribute!=""', ("attribute",), "$__auto")
    made.with_panel(bars("Attributes of $service over time", attributes, "{{attribute}}").span(16))
    kinds = counted(drift("kind"), ("kind",), "$__auto")
    made.with_panel(bars("Changed, deleted, created", kinds, "{{kind}}").span(8))
    made.with_panel(log("Changes of $service", lines()).span(24))
    return made


def resources() -> dashboard.Dashboard:
    made = with_events(
        board(
            "tfdrift-resources", "TFDrift: resources", "From account to service to resource to the attribute's history."
        )
    )
    made.with_variable(dashboard.TextBoxVariable("resource").label("Resource").default_value(""))
    one = r" | resource=~`(?i).*\Q${resource}\E.*`"
    accounts = counted(drift(), ("cloud_account", "cloud_service"), "$__range")
    to_service = "/d/tfdrift-resources?var-service=${__value.raw:percentencode}"
    to_account = "/d/tfdrift-resources?var-account=${__value.raw:percentencode}"
    made.with_panel(
        tally("Accounts and services", accounts, {"cloud_account": to_account, "cloud_service": to_service}).span(10)
    )
    found = counted(drift(*RESOURCE) + one, RESOURCE, "$__range")
    made.with_panel(tally("Resources", found, {"resource": TO_RESOURCE}).span(14))
    attributes = counted(drift(*ATTRIBUTE) + one, ATTRIBUTE, "$__range")
    made.with_panel(tally("Attributes", attributes, {"resource": TO_RESOURCE, "user": TO_PERSON}).span(24))
    timeline = counted(drift("resource", "path") + one + ' | path!=""', ("path",), "$__auto")
    made.with_panel(bars("Attributes over time", timeline, "{{path}}").span(24))
    made.with_panel(log("History of ${resource}", lines(CHOSEN, one, kinds="")).span(24))
    return made


def people() -> dashboard.Dashboard:
    made = with_events(board("tfdrift-people", "TFDrift: people", "Who changes things outside Terraform, and when."))
    made.with_variable(dashboard.TextBoxVariable("user").label("Person").default_value(""))
    one = r" | user=~`(?i).*\Q${user}\E.*`"
    activity = counted(drift("user") + one, ("user",), "1h")
    panel = heatmap.Panel().title("Changes by person and hour").datasource(LOKI).calculate(False).height(12).span(24)
    made.with_panel(panel.interval("1h").with_target(events(activity, legend="{{user}}")))
    by = ("user", "priority", "cloud_service")
    made.with_panel(tally("People", counted(drift("user") + one, by, "$__range"), {"user": TO_PERSON}).span(12))
    calls = counted(drift("user", "call") + one, ("user", "call"), "$__range")
    made.with_panel(tally("Calls", calls, {"user": TO_PERSON}).span(12))
    made.with_panel(log("What they changed", lines(CHOSEN, one)).span(24))
    return made


def metric(name: str) -> str:
    return f"{METRIC}{name}_total"


# Not last_event_age: that is the age of the newest drift, and an estate without drift is well.
SILENCE = f"time() - min({metric('last_record_time')})"
"""Seconds since the newest record came, whatever it tells; since the start while none has."""


def rate(name: str) -> str:
    return f"sum(rate({metric(name)}[$__rate_interval]))"


def each(prefix: str, label: str) -> str:
    """How much every metric with this prefix grew in the chosen range, the rest of its name as a label."""
    start = f"{METRIC}{prefix}_"
    named = f'label_replace({{__name__=~"{start}.+_total"}}, "{label}", "$1", "__name__", "{start}(.+)_total")'
    return f"sum by ({label}) (increase({named}[$__range:$__interval]))"


def health() -> dashboard.Dashboard:
    made = board("tfdrift-health", "TFDrift: health of the plugin", "Whether drift would be seen at all.")
    made.with_variable(source_variable("prometheus"))
    lights = {
        "Seconds since the last record": (SILENCE, "s", 3600.0),
        "States that cannot be read": (f"max({metric('states_failing')})", "short", 1.0),
        "Resources in state": (f"sum({metric('state_resources')})", "short", None),
        "Events waiting for Falco": (f"sum({metric('queue_depth')})", "short", 10_000.0),
        "Open drifts": (f"sum({metric('open_drifts')})", "short", None),
        "Oldest open drift": (f"max({metric('open_drift_oldest_age')})", "s", None),
    }
    for title, (text, unit, limit) in lights.items():
        panel = stat.Panel().title(title).datasource(PROMETHEUS).with_target(numbers(text)).unit(unit)
        steps = [model.Threshold(value=None, color="green")]
        if limit is not None:
            steps.append(model.Threshold(value=limit, color="red"))
        panel.thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
        made.with_panel(panel.height(4).span(4))
    made.with_panel(
        graph("Records a second", {"read": rate("records_read"), "changes": rate("records_relevant")}, "reqps")
    )
    drifts = {kind: rate(f"drift_{kind}") for kind in ("modified", "deleted", "unmanaged")}
    made.with_panel(graph("Drift events a second", drifts, "reqps"))
    age = {"oldest state": f"max({metric('state_age')})", "last record": SILENCE}
    made.with_panel(graph("Age", age, "s"))
    made.with_panel(graph("Queue", {"events": f"sum({metric('queue_depth')})"}))
    for title, prefix, label in (
        ("Expected changes, by reason", "expected", "reason"),
        ("Ends of drift, by how", "resolved", "resolution"),
        ("Errors, by source", "errors", "where"),
    ):
        gauge = bargauge.Panel().title(title).datasource(PROMETHEUS).height(8).span(12).no_value("none")
        gauge.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        made.with_panel(gauge.with_target(numbers(each(prefix, label), legend=f"{{{{{label}}}}}")))
    return made


# --- alert rules -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alert:
    """Fires when ``query`` gives more than ``limit`` for as long as ``pending``."""

    uid: str
    title: str
    query: str
    limit: float
    pending: str
    severity: str
    summary: str
    no_data: Literal["OK", "Alerting"] = "OK"


# An alert has the time of the change, and CloudTrail takes up to a quarter of an hour to tell of it.  A window that
# ends now must reach back further than that, or what is told late is never counted.
WINDOW = "30m"
DRIFT = (
    Alert(
        "tfdrift-critical",
        "Critical drift",
        counted(drift("resource", "user", where=SEVERE), ("rule", "resource", "user"), WINDOW),
        limit=0,
        pending="0s",
        severity="critical",
        summary="{{ $labels.rule }}: {{ $labels.resource }} by {{ $labels.user }}",
    ),
    Alert(
        "tfdrift-burst",
        "Much drift by one identity",
        counted(drift("user", where=""), ("user",), WINDOW),
        limit=20,
        pending="0s",
        severity="warning",
        summary="{{ $labels.user }} changed more than 20 things outside Terraform in half an hour",
    ),
)
PLUGIN = (
    Alert(
        "tfdrift-silent",
        "No CloudTrail record for an hour",
        SILENCE,
        limit=3600,
        pending="10m",
        severity="critical",
        summary="TFDrift has seen no record for an hour: drift would go unnoticed",
        no_data="Alerting",
    ),
    Alert(
        "tfdrift-state",
        "A Terraform state cannot be read",
        f"max({metric('states_failing')})",
        limit=0,
        pending="15m",
        severity="warning",
        summary="TFDrift compares with an old state",
    ),
    Alert(
        "tfdrift-queue",
        "Events wait for Falco",
        f"sum({metric('queue_depth')})",
        limit=10_000,
        pending="10m",
        severity="warning",
        summary="Falco takes events slower than they come",
    ),
)


_API_ONLY = ("folderUID", "ruleGroup", "orgID", "id", "updated", "provenance")


def provisioned(alert: Alert, source: str, query: Builder[Any]) -> dict[str, Any]:
    window = alerting_model.RelativeTimeRange(from_val=600, to=0)
    data = alerting.Query("A").datasource_uid(source).model(query).relative_time_range(window)
    evaluator = expr.ExprTypeThresholdConditionsEvaluator().type("gt").params([alert.limit])
    above = expr.ExprTypeThresholdConditions().evaluator(evaluator)
    threshold = expr.TypeThreshold().ref_id("C").expression("A").conditions([above])
    condition = alerting.Query("C").datasource_uid("__expr__").model(threshold).relative_time_range(window)
    rule = alerting.Rule(alert.title).uid(alert.uid).condition("C").with_query(data).with_query(condition)
    rule.for_val(alert.pending).no_data_state(alert.no_data).exec_err_state("Error")
    rule.annotations({"summary": alert.summary})
    rule.labels({"team": "platform", "severity": alert.severity, "source": "tfdrift"})
    raw: dict[str, Any] = json.loads(encode(rule.build()))
    return {key: value for key, value in raw.items() if key not in _API_ONLY}


def alert_rules() -> dict[str, Any]:
    """Grafana's provisioning form: https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/"""
    groups = {
        "drift": [provisioned(one, "tfdrift-loki", events(one.query, instant=True)) for one in DRIFT],
        "plugin": [provisioned(one, "tfdrift-prometheus", numbers(one.query).instant()) for one in PLUGIN],
    }
    return {
        "apiVersion": 1,
        "groups": [
            {"orgId": 1, "name": f"tfdrift-{name}", "folder": "TFDrift", "interval": "1m", "rules": rules}
            for name, rules in groups.items()
        ],
    }


def encode(made: object) -> str:
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(made)


def encode_board(builder: dashboard.Dashboard) -> str:
    made = builder.build()
    made.schema_version = SCHEMA_VERSION
    return encode(made)


BOARDS = (overview, services, resources, people, health)


def files() -> dict[Path, str]:
    """Every generated file and its text."""
    made = {HERE / "dashboards" / f"{board.__name__}.json": encode_board(board()) + "\n" for board in BOARDS}
    header = "# Generated by ../../build.py; do not edit.\n"
    rules = yaml.safe_dump(alert_rules(), sort_keys=False, allow_unicode=True, width=120)
    made[HERE / "provisioning" / "alerting" / "tfdrift.yaml"] = header + rules
    return made


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
