"""Writes the three dashboards beside it: `python3 deploy/grafana/make.py`.

A dashboard is rows of panels, a panel a title, a unit and queries: all else is the same, and not worth repeating in JSON.
"""

import json
from pathlib import Path

P95 = "histogram_quantile(0.95, sum by (le{by}) (rate(pinhole_{name}_seconds_bucket[5m])))"

DASHBOARDS = {
    "executive": (
        "Pinhole: is it well?",
        [
            ("Availability, 24 h", "percentunit", "stat", {
                "": '1 - sum(increase(pinhole_requests_total{route="/v1/decode",status=~"5.."}[24h]))'
                    ' / sum(increase(pinhole_requests_total{route="/v1/decode"}[24h]))'}),
            ("Pictures, 24 h", "short", "stat", {
                "": 'sum(increase(pinhole_decodes_total{outcome="ok"}[24h]))'}),
            ("95 % are answered within", "s", "stat", {"": P95.format(by="", name="request")}),
            ("Alarms of drift", "short", "stat", {"": "sum(pinhole_drift_alarm) or vector(0)"}),
            ("Pictures per second", "short", "timeseries", {
                "{{model}}": 'sum by (model) (rate(pinhole_decodes_total{outcome="ok"}[5m]))'}),
            ("Megapixels per second", "short", "timeseries", {
                "{{model}}": "sum by (model) (rate(pinhole_decoded_pixels_total[5m])) / 1e6"}),
            ("Changes of models", "short", "timeseries", {
                "promotions {{model}}": "sum by (model) (increase(pinhole_promotions_total[1h]))",
                "rollbacks {{model}} {{cause}}": "sum by (model, cause) (increase(pinhole_rollbacks_total[1h]))"}),
        ],
    ),
    "on-call": (
        "Pinhole: on call",
        [
            ("Instances that answer", "short", "stat", {"": 'sum(up{job="pinhole-serve"})'}),
            ("Repository", "short", "stat", {"": "min(pinhole_repository_up)"}),
            ("Requests by status", "reqps", "timeseries", {
                "{{status}}": "sum by (status) (rate(pinhole_requests_total[1m]))"}),
            ("Problems by code", "reqps", "timeseries", {
                "{{code}}": "sum by (code) (rate(pinhole_problems_total[1m]))"}),
            ("Decode time", "s", "timeseries", {
                "p50 {{model}}": P95.format(by=", model", name="decode").replace("0.95", "0.5"),
                "p95 {{model}}": P95.format(by=", model", name="decode"),
                "p99 {{model}}": P95.format(by=", model", name="decode").replace("0.95", "0.99")}),
            ("Queue", "short", "timeseries", {
                "{{instance}}": "pinhole_queue_depth", "capacity": "max(pinhole_queue_capacity)"}),
            ("Time in the queue, p95", "s", "timeseries", {"": P95.format(by="", name="queue")}),
            ("Memory", "bytes", "timeseries", {
                "resident {{instance}}": "pinhole_resident_bytes", "bodies {{instance}}": "pinhole_body_bytes"}),
            ("Connections", "short", "timeseries", {"{{instance}}": "pinhole_connections"}),
            ("Versions that serve", "short", "timeseries", {
                "{{model}} {{version}} {{role}}": "sum by (model, version, role) (pinhole_model_role)"}),
            ("Challengers: share, and requests they failed", "short", "timeseries", {
                "share {{model}} {{version}}": "max by (model, version) (pinhole_rollout_share)",
                "fallbacks/s {{model}} {{version}}": "sum by (model, version) (rate(pinhole_fallbacks_total[1m]))"}),
            ("Alarms", "short", "timeseries", {
                "{{model}} {{version}} {{alarm}}": "max by (model, version, alarm) (pinhole_drift_alarm) > 0"}),
        ],
    ),
    "debug": (
        "Pinhole: models and data",
        [
            ("p95 by version", "s", "timeseries", {
                "{{model}} {{version}}": P95.format(by=", model, version", name="decode")}),
            ("Outcomes by version", "short", "timeseries", {
                "{{model}} {{version}} {{outcome}}":
                    "sum by (model, version, outcome) (rate(pinhole_decodes_total[1m]))"}),
            ("Challenger against champion, PSNR", "dB", "timeseries", {
                "{{model}} {{version}}": "avg by (model, version) (pinhole_rollout_psnr)"}),
            ("Challenger against champion, SSIMULACRA2", "short", "timeseries", {
                "{{model}} {{version}}": "avg by (model, version) (pinhole_rollout_ssimulacra2)"}),
            ("Population stability index", "short", "timeseries", {
                "{{model}} {{version}}": "avg by (model, version) (pinhole_drift_psi)"}),
            ("Kullback-Leibler divergence, nats", "short", "timeseries", {
                "{{model}} {{version}}": "avg by (model, version) (pinhole_drift_kl)"}),
            ("Bits per pixel", "short", "timeseries", {
                "{{model}} {{version}}": "avg by (model, version) (pinhole_drift_bpp)",
                "over the expected {{model}} {{version}}": "avg by (model, version) (pinhole_drift_rate_ratio)"}),
            ("Escaped symbols", "percentunit", "timeseries", {
                "{{model}} {{version}}": "avg by (model, version) (pinhole_drift_escape_rate)"}),
            ("Dead channels", "short", "timeseries", {
                "{{model}} {{version}}": "max by (model, version) (pinhole_drift_dead_channels)"}),
            ("Channels: variance", "short", "heatmap", {"{{channel}}": "avg by (channel) (pinhole_channel_variance)"}),
            ("Channels: mean", "short", "heatmap", {"{{channel}}": "avg by (channel) (pinhole_channel_mean)"}),
            ("Anomaly scores", "short", "heatmap", {
                "{{le}}": "sum by (le) (increase(pinhole_anomaly_score_bucket[5m]))"}),
            ("Cache", "percentunit", "timeseries", {
                "hits": "sum(rate(pinhole_cache_hits_total[5m])) / (sum(rate(pinhole_cache_hits_total[5m]))"
                        " + sum(rate(pinhole_cache_misses_total[5m])))"}),
            ("Reloads", "short", "timeseries", {
                "taken": "sum(increase(pinhole_reloads_total[5m]))",
                "failed": "sum(increase(pinhole_reload_failures_total[5m]))"}),
        ],
    ),
}


def panel(number: int, at: tuple[int, int], width: int, entry: tuple) -> dict:
    title, unit, kind, queries = entry
    targets = [
        {"refId": chr(65 + i), "expr": query, "legendFormat": legend or "__auto"}
        for i, (legend, query) in enumerate(queries.items())
    ]
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "id": number,
        "title": title,
        "type": kind,
        "datasource": source,
        "gridPos": {"x": at[0], "y": at[1], "w": width, "h": 8 if kind != "stat" else 4},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "options": {},
        "targets": [{**target, "datasource": source} for target in targets],
    }


def dashboard(name: str, title: str, entries: list[tuple]) -> dict:
    panels, x, y, row = [], 0, 0, 0
    for number, entry in enumerate(entries, 1):
        width = 6 if entry[2] == "stat" else 12
        if x + width > 24:
            x, y = 0, y + row
        panels.append(panel(number, (x, y), width, entry))
        x, row = x + width, 4 if entry[2] == "stat" else 8
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Source"}
    return {
        "uid": f"pinhole-{name}",
        "title": title,
        "tags": ["pinhole"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }


if __name__ == "__main__":
    for name, (title, entries) in DASHBOARDS.items():
        path = Path(__file__).parent / f"{name}.json"
        path.write_text(json.dumps(dashboard(name, title, entries), indent=1) + "\n")
