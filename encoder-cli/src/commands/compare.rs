//! `pinhole compare`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::{print, print_json};
use crate::args::{CompareArgs, Metric};
use crate::codec::{self, DecodeOptions, Picture};
use crate::metrics::{Reference, Scores};
use crate::picture;
use crate::report::{self, Failure, Outcome, shown};

/// Pairs of one original that a thread takes at a time.
const BATCH: usize = 8;

struct Pair {
    reference: PathBuf,
    distorted: PathBuf,
}

/// One line of `--pairs --json`.
#[derive(Serialize)]
struct PairScores<'a> {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(rename = "dist")]
    distorted: String,
    #[serde(flatten)]
    scores: Option<&'a Scores>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) fn run(args: &CompareArgs) -> Outcome {
    match (&args.pairs, &args.reference, &args.distorted) {
        (Some(list), _, _) => run_list(args, list),
        (None, Some(reference), Some(distorted)) => run_one(args, reference, distorted),
        (None, _, _) => Err(Failure::Usage("compare needs REF and DIST".to_owned())),
    }
}

fn run_one(args: &CompareArgs, reference: &Path, distorted: &Path) -> Outcome {
    let original = prepare(reference, &args.metrics).map_err(super::about(reference))?;
    let scores = open(distorted)
        .and_then(|picture| original.score(&picture, &args.metrics))
        .map_err(super::about(distorted))?;
    let told = if args.json { print_json(&scores) } else { print(&in_words(&scores)) };
    told.map_err(Failure::from)
}

fn run_list(args: &CompareArgs, list: &Path) -> Outcome {
    let pairs = read_list(list).map_err(super::about(list))?;
    let batches: Vec<&[Pair]> = pairs
        .chunk_by(|a, b| a.reference == b.reference)
        .flat_map(|same| same.chunks(BATCH))
        .collect();
    let mut failed = false;
    let mut told = Ok(());
    in_order(
        args.threads,
        &batches,
        &|batch| score_batch(batch, &args.metrics),
        |batch, results| {
            for (pair, result) in batch.iter().zip(results) {
                if let Err(error) = &result {
                    failed = true;
                    report::error_line(Some(&pair.distorted), error);
                }
                if told.is_ok() {
                    told = print(&pair_line(pair, &result, args.json));
                }
            }
        },
    );
    told?;
    if failed { Err(Failure::Reported) } else { Ok(()) }
}

/// Does `work` on every job on several threads and gives the results to `take` in order.
fn in_order<J: Sync, R: Send>(
    threads: usize,
    jobs: &[J],
    work: &(impl Fn(&J) -> R + Sync),
    mut take: impl FnMut(&J, R),
) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { cores } else { threads }.min(jobs.len()).max(1);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { break };
                    if sender.send((index, work(job))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting: Vec<Option<R>> = jobs.iter().map(|_| None).collect();
        let mut due = 0;
        for (index, result) in receiver {
            waiting[index] = Some(result);
            while let Some(result) = waiting.get_mut(due).and_then(Option::take) {
                take(&jobs[due], result);
                due += 1;
            }
        }
    });
}

/// The scores of pairs that share their original, or what went wrong.
fn score_batch(batch: &[Pair], metrics: &[Metric]) -> Vec<Result<Scores, String>> {
    let Some(first) = batch.first() else { return Vec::new() };
    let original = match prepare(&first.reference, metrics) {
        Ok(original) => original,
        Err(error) => {
            let reason = format!("{}: {error:#}", shown(&first.reference));
            return batch.iter().map(|_| Err(reason.clone())).collect();
        }
    };
    let score = |pair: &Pair| original.score(&open(&pair.distorted)?, metrics);
    batch.iter().map(|pair| score(pair).map_err(|error| format!("{error:#}"))).collect()
}

fn prepare(path: &Path, metrics: &[Metric]) -> Result<Reference> {
    Reference::new(&open(path)?, metrics)
}

/// A picture of any format, Pinhole's own included.
fn open(path: &Path) -> Result<Picture> {
    let bytes = picture::read_bytes(path)?;
    if codec::is_stream(&bytes) {
        let options = DecodeOptions { threads: 1, ..DecodeOptions::default() };
        return Ok(codec::decode(&codec::bundle(None)?, &bytes, &options)?.picture);
    }
    Ok(picture::parse(&bytes)?.picture)
}

fn read_list(path: &Path) -> Result<Vec<Pair>> {
    let text = String::from_utf8(picture::read_bytes(path)?).context("not a text file")?;
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let Some((reference, distorted)) = line.split_once('\t') else {
            bail!("line {}: no tab between REF and DIST", number + 1);
        };
        pairs.push(Pair { reference: reference.into(), distorted: distorted.into() });
    }
    Ok(pairs)
}

fn pair_line(pair: &Pair, result: &Result<Scores, String>, json: bool) -> String {
    let (reference, distorted) = (pair.reference.display(), pair.distorted.display());
    if json {
        let line = PairScores {
            reference: reference.to_string(),
            distorted: distorted.to_string(),
            scores: result.as_ref().ok(),
            error: result.as_ref().err().cloned(),
        };
        // Strings and numbers always have a JSON form.
        return serde_json::to_string(&line).map(|line| line + "\n").unwrap_or_default();
    }
    match result {
        Ok(scores) => {
            let words = in_words(scores);
            let fields: Vec<&str> = words.lines().collect();
            format!("{reference}\t{distorted}\t{}\n", fields.join("\t"))
        }
        Err(_) => String::new(),
    }
}

fn in_words(scores: &Scores) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<12} {value}");
    };
    if let Some(psnr) = scores.psnr {
        line("psnr", psnr.map_or("inf dB".to_owned(), |psnr| format!("{psnr:.3} dB")));
    }
    if let Some(score) = scores.ms_ssim {
        line("ms-ssim", format!("{score:.5}"));
    }
    if let Some(score) = scores.ssimulacra2 {
        line("ssimulacra2", format!("{score:.3}"));
    }
    if let Some(norm) = scores.butteraugli {
        line("butteraugli", format!("{norm:.3}"));
    }
    if let Some(equal) = scores.alpha_equal {
        line("alpha", if equal { "equal" } else { "different" }.to_owned());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_from_many_threads() {
        let jobs: Vec<u64> = (0..50).collect();
        let mut taken = Vec::new();
        let work = |&job: &u64| {
            thread::sleep(std::time::Duration::from_micros((job * 37) % 300));
            job * 2
        };
        in_order(4, &jobs, &work, |_, result| taken.push(result));
        assert_eq!(taken, (0..50).map(|job| job * 2).collect::<Vec<_>>());
    }
}
