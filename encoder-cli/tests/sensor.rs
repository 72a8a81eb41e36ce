//! `pinhole sensor` on real files of all formats.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

mod common;
use common::{error_lines, json, pinhole, stdout};

/// A pump with three sensors at 1 Hz, a gap in time, missing samples and a disturbance.
fn pump(rows: usize) -> String {
    let mut text = "datetime;Pressure;Temperature;Flow Rate\n".to_owned();
    for i in 0..rows {
        let second = if i < 300 { i } else { i + 90 };
        let noise = (i * 7919 % 101) as f64 / 1000.0;
        let wild = if (640..704).contains(&i) { (i * 7907 % 211) as f64 / 20.0 } else { 0.0 };
        let pressure = format!("{:.3}", 2.0 + (i as f64 * 0.05).sin() + noise + wild);
        let temperature =
            if i % 100 == 50 { String::new() } else { format!("{:.2}", 79.0 + noise) };
        let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
        let flow = 32 - i / 64 % 2;
        writeln!(text, "2020-03-09 {h:02}:{m:02}:{s:02};{pressure};{temperature};{flow}").unwrap();
    }
    text
}

/// Times and numbers of a table, the missing ones as NaN.
fn table(path: &Path) -> (Vec<String>, Vec<Vec<f64>>) {
    let text = fs::read_to_string(path).unwrap();
    let separator = if text.starts_with("datetime;") { ';' } else { ',' };
    let rows = text.lines().skip(1).map(|line| {
        let mut fields = line.split(separator);
        let time = fields.next().unwrap().replace(' ', "T");
        (time, fields.map(|f| if f.is_empty() { f64::NAN } else { f.parse().unwrap() }).collect())
    });
    rows.unzip()
}

fn farthest(a: &[Vec<f64>], b: &[Vec<f64>], column: usize) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |most: f64, (a, b)| {
        assert_eq!(a[column].is_nan(), b[column].is_nan());
        if a[column].is_nan() { most } else { most.max((a[column] - b[column]).abs()) }
    })
}

#[test]
fn csv_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("pump.csv"), pump(1000)).unwrap();
    let (times, values) = table(&at("pump.csv"));
    let run = |options: &[&str]| {
        let mut encode = pinhole();
        encode.args(["sensor", "encode"]).arg(at("pump.csv")).arg("-o").arg(at("pump.pin"));
        encode.args(options).assert().success();
        let mut decode = pinhole();
        decode.args(["sensor", "decode"]).arg(at("pump.pin")).arg("-o").arg(at("again.csv"));
        decode.assert().success();
        let (found, decoded) = table(&at("again.csv"));
        assert_eq!(found, times);
        let errors = [0, 1, 2].map(|column| farthest(&values, &decoded, column));
        (fs::metadata(at("pump.pin")).unwrap().len(), errors)
    };
    let (exact, errors) = run(&["--lossless"]);
    assert_eq!(errors, [0.0; 3]);
    let (bounded, errors) = run(&["--max-error", "0.1,0.02,0"]);
    assert!(errors[0] <= 0.1 && errors[1] <= 0.02 && errors[2] == 0.0, "{errors:?}");
    assert!(errors[0] > 0.05);
    let (relative, errors) = run(&["-e", "5%"]);
    assert!(errors[0] <= 13.0 * 0.05 && errors[1] <= 0.1 * 0.05 + 1e-9 && errors[2] <= 0.05);
    let (good, close) = run(&["-q", "80"]);
    let (small, far) = run(&["-q", "20"]);
    assert!(close[0] < far[0] && small < good);
    assert!(exact > bounded && bounded > relative, "{exact} {bounded} {relative}");
    assert!(exact < fs::metadata(at("pump.csv")).unwrap().len() / 6, "{exact}");

    fs::write(at("other.csv"), "a,b\n1,2\n").unwrap();
    let mut wrong = pinhole();
    wrong.args(["sensor", "encode", "-e", "1,2,3"]).arg(at("other.csv"));
    assert!(error_lines(&mut wrong, 1)[0].contains("3 bounds for 2 channels"));
}

#[test]
fn channels_are_picked_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("pump.csv"), pump(200)).unwrap();
    let mut encode = pinhole();
    encode.args(["sensor", "encode", "--channels", "Flow Rate,Pressure", "-l"]).arg(at("pump.csv"));
    encode.assert().success();
    let mut decode = pinhole();
    decode.args(["sensor", "decode"]).arg(at("pump.pin")).args(["-o", "-"]);
    let text = String::from_utf8(stdout(&mut decode)).unwrap();
    assert!(text.starts_with("time,Flow Rate,Pressure\n2020-03-09T00:00:00,32,2"), "{text}");
    let mut wrong = pinhole();
    wrong.args(["sensor", "encode", "--channels", "Colour", "-o", "x.pin"]).arg(at("pump.csv"));
    assert!(error_lines(&mut wrong, 1)[0].contains("no channel Colour"));
}

/// An array file of `shape`, written by hand.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut head = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (head.len() + 11) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    let length = (head.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], head.as_bytes(), data].concat()
}

#[test]
fn arrays_of_windows_become_one_series() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Two windows of two channels of three samples.
    let values: [i16; 12] = [1, 2, 3, 10, 20, 30, 4, 5, 6, 40, 50, 60];
    let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    fs::write(at("a.npy"), npy("<i2", "(2, 2, 3)", &data)).unwrap();
    pinhole().args(["sensor", "encode", "-l"]).arg(at("a.npy")).assert().success();
    pinhole()
        .args(["sensor", "decode", "--format", "npy"])
        .arg(at("a.pin"))
        .arg("-f")
        .assert()
        .success();
    let found = fs::read(at("a.npy")).unwrap();
    let wanted: [i16; 12] = [1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60];
    let wanted: Vec<u8> = wanted.iter().flat_map(|v| v.to_le_bytes()).collect();
    assert!(found.ends_with(&wanted));
    assert!(found.windows(5).any(|w| w == b"(6, 2") && found.windows(3).any(|w| w == b"<i2"));

    for (name, bytes) in [
        ("short.npy", npy("<i2", "(2, 2, 30)", &data)),
        ("huge.npy", npy("<i2", "(99999999999, 99999999999)", &data)),
        ("words.npy", npy("|S4", "(6,)", &data)),
        ("not.npy", b"a,b\n1,2\n".to_vec()),
        ("not.parquet", b"PAR1PAR1".to_vec()),
    ] {
        fs::write(at(name), bytes).unwrap();
        assert_eq!(
            error_lines(pinhole().args(["sensor", "encode"]).arg(at(name)), 1).len(),
            1,
            "{name}"
        );
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("pump.csv"), pump(300)).unwrap();
    let sensor = |words: &[&str], input: &str, output: &str| {
        let mut command = pinhole();
        command
            .arg("sensor")
            .args(words)
            .arg(at(input))
            .arg("-o")
            .arg(at(output))
            .assert()
            .success();
    };
    sensor(&["encode", "-l"], "pump.csv", "1.pin");
    sensor(&["decode"], "1.pin", "1.parquet");
    sensor(&["encode", "-l"], "1.parquet", "2.pin");
    sensor(&["decode"], "2.pin", "2.csv");
    let ((t1, v1), (t2, v2)) = (table(&at("pump.csv")), table(&at("2.csv")));
    assert_eq!(t1, t2);
    assert!((0..3).all(|column| farthest(&v1, &v2, column) == 0.0));
    assert_eq!(fs::read(at("1.pin")).unwrap(), fs::read(at("2.pin")).unwrap());
}

#[test]
fn the_disturbance_is_scored_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("pump.csv"), pump(1000)).unwrap();
    let mut encode = pinhole();
    encode.args(["sensor", "encode", "-e", "0.05,0.05,0.5", "--window", "32", "--plot"]);
    encode.arg(at("p.html")).arg(at("pump.csv")).assert().success();
    let page = fs::read_to_string(at("p.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("Pressure") && page.contains("score"));

    let found = json(pinhole().args(["sensor", "score", "--json"]).arg(at("pump.pin")));
    let windows = found["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 32);
    let odd: Vec<u64> = windows
        .iter()
        .filter(|w| w["odd"].as_bool().unwrap())
        .map(|w| w["first_sample"].as_u64().unwrap())
        .collect();
    // The first window of it stands out for certain; the predictor may adapt to the rest.
    assert!(odd[0] == 640 && odd.iter().all(|&at| at < 800), "{odd:?}");
    assert_eq!(windows[0]["time"], "2020-03-09T00:00:00");

    // The same from the table, as CSV.
    let mut score = pinhole();
    score.args(["sensor", "score", "-e", "0.05,0.05,0.5", "--window", "32", "--odd"]);
    let text = String::from_utf8(stdout(score.arg(at("pump.csv")))).unwrap();
    assert!(text.lines().count() >= 2, "{text}");
    assert!(text.starts_with("window,first_sample,time,score,odd\n20,640,"), "{text}");

    let mut bare = pinhole();
    bare.args(["sensor", "encode", "--no-scores", "-f"]).arg(at("pump.csv")).assert().success();
    let lines = error_lines(pinhole().args(["sensor", "score"]).arg(at("pump.pin")), 1);
    assert!(lines[0].contains("no scores"));
}

#[test]
fn a_lasting_change_stands_out_from_the_first_windows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("steps.csv");
    let mut text = "flow,pressure\n".to_owned();
    for i in 0..640 {
        let step = if (480..544).contains(&i) { 2.0 } else { 0.0 };
        let (flow, pressure) = ((i * 7919 % 101) as f64 / 100.0, (i * 7907 % 211) as f64 / 100.0);
        writeln!(text, "{:.2},{pressure:.2}", flow + step).unwrap();
    }
    fs::write(&path, text).unwrap();
    let score = |options: &[&str]| {
        let mut score = pinhole();
        score.args(["sensor", "score", "--window", "16", "--json"]).args(options).arg(&path);
        score
    };
    let found = json(&mut score(&["--calibration", "20"]));
    assert_eq!(found["relative_to"], "first windows");
    let windows = found["windows"].as_array().unwrap();
    let odd: Vec<usize> = (0..40).filter(|&w| windows[w]["odd"].as_bool().unwrap()).collect();
    assert_eq!(odd, [30, 31, 32, 33]);
    // Without the calibration it is usual before it is over.
    let found = json(&mut score(&[]));
    assert!(!found["windows"][33]["odd"].as_bool().unwrap());
    score(&["--calibration", "7"]).assert().failure();
}

#[test]
fn damage_is_an_error_or_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("pump.csv"), pump(1000)).unwrap();
    let mut encode = pinhole();
    encode.args([
        "sensor",
        "encode",
        "-l",
        "--frame",
        "2",
        "--key-interval",
        "1",
        "--window",
        "50",
    ]);
    encode.arg(at("pump.csv")).assert().success();
    let mut stream = fs::read(at("pump.pin")).unwrap();
    let middle = stream.len() / 2;
    stream[middle] ^= 4;
    fs::write(at("damaged.pin"), stream).unwrap();
    let mut decode = pinhole();
    decode.args(["sensor", "decode"]).arg(at("damaged.pin"));
    assert!(error_lines(&mut decode, 1)[0].contains("checksum"));
    let mut decode = pinhole();
    decode.args(["sensor", "decode", "--conceal", "-o"]).arg(at("c.csv")).arg(at("damaged.pin"));
    let output = decode.assert().success().get_output().clone();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("100 samples of each channel are lost")
    );
    let (times, values) = table(&at("c.csv"));
    let (_, original) = table(&at("pump.csv"));
    assert_eq!(values.len(), 1000);
    assert_eq!(times.len(), 1000);
    let lost = values.iter().filter(|row| row.iter().all(|x| x.is_nan())).count();
    assert_eq!(lost, 100);
    let same = values.iter().zip(&original).filter(|(a, b)| a[2] == b[2]).count();
    assert_eq!(same, 900);

    // A picture is no sensor stream, and the other way round.
    let mut picture = pinhole();
    picture
        .args(["encode", "-o"])
        .arg(at("p.pin"))
        .arg(common::sample("camera.png"))
        .assert()
        .success();
    let lines = error_lines(pinhole().args(["sensor", "decode"]).arg(at("p.pin")), 1);
    assert!(lines[0].contains("not a sensor stream"), "{lines:?}");
    assert_eq!(error_lines(pinhole().arg("decode").arg(at("pump.pin")), 1).len(), 1);
}

#[test]
fn options_exclude_each_other() {
    for words in [
        &["-l", "-q", "3"][..],
        &["-l", "-e", "1"],
        &["-q", "3", "-e", "1"],
        &["-e", "-1"],
        &["-e", "0%"],
        &["-e", "x"],
        &["--window", "0"],
        &["--window", "5000"],
    ] {
        error_lines(pinhole().args(["sensor", "encode", "in.csv"]).args(words), 2);
    }
}
