//! `[budget]`: what one call may use up, with units, within bounds.

use std::time::Duration;

use crucible_services::script::Budget;

use super::Fault;
use super::table::Table;

/// The most that a manifest can ask for.
pub(super) const MOST: Budget = Budget {
    instructions: 10_000_000_000,
    wall: Duration::from_secs(600),
    memory_bytes: 512 * 1024 * 1024,
    output_bytes: 8 * 1024 * 1024,
    host_calls: 100_000,
};

pub(super) fn read(table: Option<&Table<'_>>) -> Result<Budget, Fault> {
    let mut budget = Budget::default();
    let Some(table) = table else {
        return Ok(budget);
    };
    table.allow(&["instructions", "wall", "memory", "output", "host_calls"])?;
    let count = |key: &str, most: u64, value: &mut u64| -> Result<(), Fault> {
        if let Some(number) = table.integer(key)? {
            *value = within(table, key, u64::try_from(number).unwrap_or(0), most)?;
        }
        Ok(())
    };
    count("instructions", MOST.instructions, &mut budget.instructions)?;
    count("host_calls", MOST.host_calls, &mut budget.host_calls)?;
    let size = |key: &str, most: u64, value: &mut u64| -> Result<(), Fault> {
        if let Some(text) = table.string(key)? {
            let bytes = bytes(&text).map_err(|why| table.fault(key, why))?;
            *value = within(table, key, bytes, most)?;
        }
        Ok(())
    };
    size("memory", MOST.memory_bytes, &mut budget.memory_bytes)?;
    size("output", MOST.output_bytes, &mut budget.output_bytes)?;
    if let Some(text) = table.string("wall")? {
        let wall = duration(&text).map_err(|why| table.fault("wall", why))?;
        if wall.is_zero() || wall > MOST.wall {
            let most = MOST.wall.as_secs();
            return Err(table.fault(
                "wall",
                format!("`wall` must be more than 0 and at most {most}s"),
            ));
        }
        budget.wall = wall;
    }
    Ok(budget)
}

fn within(table: &Table<'_>, key: &str, value: u64, most: u64) -> Result<u64, Fault> {
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        Err(table.fault(
            key,
            format!("`{key}` must be from 1 to {most}, not {value}"),
        ))
    }
}

/// Reads `250ms`, `5s`, `2m` or `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    match number.parse::<u64>() {
        Ok(number) if unit_ms > 0 => Ok(Duration::from_millis(number.saturating_mul(unit_ms))),
        _ => Err(format!(
            "{text:?} is no duration; write it as 250ms, 5s or 2m"
        )),
    }
}

/// Reads `64MB` or `1kB`; units are powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let unit_bytes: u64 = match unit {
        "B" => 1,
        "kB" | "KB" | "KiB" => 1 << 10,
        "MB" | "MiB" => 1 << 20,
        "GB" | "GiB" => 1 << 30,
        _ => 0,
    };
    match number.parse::<u64>() {
        Ok(number) if unit_bytes > 0 => Ok(number.saturating_mul(unit_bytes)),
        _ => Err(format!("{text:?} is no size; write it as 512kB or 64MB")),
    }
}

fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}
