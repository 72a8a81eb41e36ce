//! Times as text and as numbers.

use anyhow::{Result, anyhow, bail};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pinhole::sensor::TimeUnit;

/// Reads a column of times: whole numbers, decimal seconds, or dates with times (UTC unless they say otherwise).
pub(crate) fn parse(column: &[&str]) -> Result<(TimeUnit, Vec<i64>)> {
    if column.iter().all(|text| text.parse::<i64>().is_ok()) {
        return Ok((TimeUnit::Ticks, column.iter().filter_map(|t| t.parse().ok()).collect()));
    }
    if column.iter().all(|text| text.parse::<f64>().is_ok_and(f64::is_finite)) {
        let times: Result<Vec<i64>> = column.iter().map(|text| seconds(text)).collect();
        return Ok((TimeUnit::Nanoseconds, times?));
    }
    let times: Result<Vec<i64>> = column.iter().map(|text| date(text)).collect();
    Ok((TimeUnit::UnixNanoseconds, times?))
}

/// Decimal seconds in nanoseconds; digits beyond are rounded.
fn seconds(text: &str) -> Result<i64> {
    let value: f64 = text.parse()?;
    // Text with few digits is exact this way, whatever the magnitude.
    let nanoseconds = match text.split_once('.') {
        Some((whole, fraction))
            if fraction.len() <= 9 && fraction.bytes().all(|b| b.is_ascii_digit()) =>
        {
            let negative = whole.starts_with('-');
            let whole = i128::from(whole.parse::<i64>().unwrap_or(0)).abs() * 1_000_000_000;
            let fraction: i128 = format!("{fraction:0<9}").parse()?;
            if negative { -(whole + fraction) } else { whole + fraction }
        }
        _ => (value * 1e9).round() as i128,
    };
    i64::try_from(nanoseconds).map_err(|_| anyhow!("time {text} is too far away"))
}

fn date(text: &str) -> Result<i64> {
    let text = text.trim();
    let stamp = match text.parse::<Timestamp>() {
        Ok(stamp) => stamp,
        Err(_) => match text.parse::<DateTime>() {
            Ok(civil) => TimeZone::UTC.to_timestamp(civil)?,
            Err(_) => bail!("\"{text}\" is no time"),
        },
    };
    i64::try_from(stamp.as_nanosecond()).map_err(|_| anyhow!("time {text} is too far away"))
}

/// A time as [`parse`] reads it.
pub(crate) fn shown(unit: TimeUnit, time: i64) -> String {
    match unit {
        TimeUnit::UnixNanoseconds => match Timestamp::from_nanosecond(time.into()) {
            Ok(stamp) => TimeZone::UTC.to_datetime(stamp).to_string(),
            Err(_) => time.to_string(),
        },
        TimeUnit::Nanoseconds => {
            let sign = if time < 0 { "-" } else { "" };
            let magnitude = time.unsigned_abs();
            let text =
                format!("{sign}{}.{:09}", magnitude / 1_000_000_000, magnitude % 1_000_000_000);
            let short = text.trim_end_matches('0');
            if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
        }
        _ => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_they_were() {
        let cases: [(&[&str], TimeUnit); 3] = [
            (&["3", "4", "-6"], TimeUnit::Ticks),
            (&["0.02", "0.04", "-1.5", "1583748873.123456789"], TimeUnit::Nanoseconds),
            (&["2020-03-09T10:14:33", "2020-03-09T10:14:34.25"], TimeUnit::UnixNanoseconds),
        ];
        for (column, unit) in cases {
            let (found, times) = parse(column).unwrap();
            assert_eq!(found, unit);
            let again: Vec<String> = times.iter().map(|&t| shown(unit, t)).collect();
            assert_eq!(again, column);
        }
        let (_, times) = parse(&["2020-03-09 10:14:33", "2020-03-09T12:14:33+02:00"]).unwrap();
        assert_eq!(times, [1_583_748_873_000_000_000; 2]);
        assert!(parse(&["yesterday"]).is_err());
    }
}
