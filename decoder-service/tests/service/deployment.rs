//! Dashboards, alerts and runbooks against the service: what they name must exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Names of metrics that a text asks for, without the suffixes of their kinds.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("pinhole_"));
    let suffixes = ["_total", "_bucket", "_sum", "_count"];
    ours.map(|word| {
        let cut = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix));
        cut.unwrap_or(word).to_owned()
    })
    .collect()
}

#[test]
fn dashboards_and_alerts_ask_for_metrics_that_exist() {
    // A family without members is not in the text: the names come from where they are registered.
    let source = include_str!("../../src/telemetry/metrics.rs");
    let literals = source.split('"').skip(1).step_by(2);
    let exported: BTreeSet<String> = literals.map(|name| format!("pinhole_{name}")).collect();
    assert!(exported.contains("pinhole_drift_psi"));
    let files = ["prometheus/rules.yaml", "grafana/executive.json", "grafana/on-call.json"];
    for file in files.into_iter().chain(["grafana/debug.json", "kubernetes/hpa.yaml"]) {
        let text = std::fs::read_to_string(root().join("deploy").join(file)).unwrap();
        let asked = named(&text);
        assert!(!asked.is_empty(), "{file}");
        for metric in asked {
            assert!(exported.contains(&metric), "{file} asks for {metric}");
        }
    }
}

#[test]
fn every_alert_has_its_runbook() {
    let rules = std::fs::read_to_string(root().join("deploy/prometheus/rules.yaml")).unwrap();
    let alerts = rules.matches("- alert: ").count();
    let links: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")).collect();
    assert!(alerts > 5 && links.len() == alerts);
    for link in links {
        assert!(root().join(link).is_file(), "{link}");
    }
}

#[test]
fn the_containers_settings_are_settings() {
    for file in ["serve.toml", "serve-cuda.toml"] {
        let path = root().join("deploy/docker").join(file);
        pinhole_serve::Config::read(&path).unwrap().check().unwrap();
    }
}
