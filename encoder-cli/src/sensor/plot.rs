//! A drawing of signal, reconstruction, residual and score over time.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::Table;

/// What is drawn.
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    pub(crate) original: &'a Table,
    pub(crate) decoded: &'a Table,
    /// First sample and score of each window.
    pub(crate) scores: &'a [(usize, f64)],
    /// Scores of this or more are odd.
    pub(crate) threshold: f64,
}

const WIDTH: u32 = 1100;
/// Channels that are drawn; others are left out.
const CHANNELS: usize = 12;
/// Pixels of the curves: each gets the least and greatest sample of its time.
const COLUMNS: usize = 1000;

impl Plot<'_> {
    /// The drawing as SVG.
    pub(crate) fn svg(&self) -> Result<String> {
        let channels = self.original.channels().min(CHANNELS);
        let panels = 2 * channels + usize::from(!self.scores.is_empty());
        let heights: Vec<u32> =
            (0..panels).map(|i| if i % 2 == 0 && i < 2 * channels { 120 } else { 70 }).collect();
        let mut text = String::new();
        {
            let size = (WIDTH, 30 + heights.iter().sum::<u32>() + 10);
            let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
            root.fill(&WHITE).map_err(failed)?;
            let root = root.titled(self.title, ("sans-serif", 16)).map_err(failed)?;
            let breaks: Vec<u32> = heights
                .iter()
                .scan(0, |y, h| {
                    *y += h;
                    Some(*y)
                })
                .collect();
            let areas = root.split_by_breakpoints::<u32, u32, _, _>([], &breaks);
            for c in 0..channels {
                let name = &self.original.names[c];
                let signal: Vec<f64> = self.original.channel(c).collect();
                let decoded: Vec<f64> = self.decoded.channel(c).collect();
                let residual: Vec<f64> = signal.iter().zip(&decoded).map(|(x, y)| y - x).collect();
                panel(&areas[2 * c], name, &[(&signal, BLACK), (&decoded, RED)])?;
                panel(&areas[2 * c + 1], "error", &[(&residual, BLUE)])?;
            }
            if let Some(area) = areas.get(2 * channels).filter(|_| !self.scores.is_empty()) {
                self.score_panel(area)?;
            }
            root.present().map_err(failed)?;
        }
        Ok(text)
    }

    /// A page with the drawing, which browsers show and print.
    pub(crate) fn html(&self) -> Result<String> {
        let title = self.title.replace('&', "&amp;").replace('<', "&lt;");
        Ok(format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
             <style>body{{margin:2em auto;max-width:{WIDTH}px;font-family:sans-serif}}svg{{width:100%;height:auto}}</style>\n\
             </head><body>\n{}\n<p>Black: the signal. Red: what is decoded. Blue: the difference. Below: the score of each \
             window and the threshold.</p>\n</body></html>\n",
            self.svg()?
        ))
    }

    fn score_panel(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<()> {
        let highest = self.scores.iter().map(|s| s.1).fold(self.threshold, f64::max) * 1.1 + 1e-9;
        let mut chart = ChartBuilder::on(area)
            .margin_right(10)
            .x_label_area_size(18)
            .y_label_area_size(90)
            .build_cartesian_2d(0.0..self.original.len().max(1) as f64, 0.0..highest)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .y_labels(3)
            .label_style(("sans-serif", 10))
            .axis_desc_style(("sans-serif", 11))
            .y_desc("score")
            .draw()
            .map_err(failed)?;
        let points = self.scores.iter().map(|&(t, s)| (t as f64, s));
        chart.draw_series(LineSeries::new(points, BLACK)).map_err(failed)?;
        let ends = [(0.0, self.threshold), (self.original.len() as f64, self.threshold)];
        chart.draw_series(LineSeries::new(ends, RED)).map_err(failed)?;
        Ok(())
    }
}

fn failed<E: std::fmt::Display>(error: E) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

/// One set of axes with curves over it.
fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    name: &str,
    curves: &[(&[f64], RGBColor)],
) -> Result<()> {
    let finite = || curves.iter().flat_map(|(c, _)| c.iter()).filter(|x| x.is_finite());
    let (low, high) = finite().fold((f64::MAX, f64::MIN), |(l, h), &x| (l.min(x), h.max(x)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
    let margin = ((high - low) * 0.05).max(high.abs().max(low.abs()) * 1e-9).max(1e-300);
    let len = curves.iter().map(|(c, _)| c.len()).max().unwrap_or(0);
    let mut chart = ChartBuilder::on(area)
        .margin_right(10)
        .x_label_area_size(4)
        .y_label_area_size(90)
        .build_cartesian_2d(0.0..len.max(1) as f64, low - margin..high + margin)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_labels(4)
        .y_label_formatter(&|y| short(*y))
        .label_style(("sans-serif", 10))
        .axis_desc_style(("sans-serif", 11))
        .y_desc(name)
        .draw()
        .map_err(failed)?;
    for (samples, colour) in curves {
        for run in runs(samples) {
            chart.draw_series(LineSeries::new(run, *colour)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Four digits, whatever the magnitude.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (0.001..100_000.0).contains(&magnitude) {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.2e}")
    }
}

/// The curve as lines between gaps, thinned to the least and greatest of each pixel.
fn runs(samples: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let step = samples.len().div_ceil(COLUMNS).max(1);
    let mut runs = vec![Vec::new()];
    for (i, part) in samples.chunks(step).enumerate() {
        let finite = part.iter().copied().filter(|x| x.is_finite());
        let (low, high) = finite.fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(x), h.max(x)));
        let at = (i * step) as f64;
        match runs.last_mut() {
            Some(run) if low < high => run.extend([(at, low), (at, high)]),
            Some(run) if low == high => run.push((at, low)),
            _ => runs.push(Vec::new()),
        }
    }
    runs
}
