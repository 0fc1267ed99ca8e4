//! The rate of events over the last minutes, as a small drawing.

use std::sync::Arc;

use crucible_services::events::DaemonEvent;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

/// How many bars there are.
const BARS: usize = 60;
/// How many seconds one bar stands for.
const BAR_S: i64 = 10;
/// The height of the drawing; a bar is 4 wide with 2 between.
const HEIGHT: u64 = 48;

/// Events by bar, oldest first; the last bar ends now.
pub(super) fn histogram(events: &[Arc<DaemonEvent>], now: Timestamp) -> [u64; BARS] {
    let mut bars = [0; BARS];
    for event in events {
        let age = now
            .duration_since(event.timestamp)
            .max(SignedDuration::ZERO);
        let back = usize::try_from(age.as_secs() / BAR_S).unwrap_or(usize::MAX);
        if let Some(bar) = BARS.checked_sub(back + 1).and_then(|at| bars.get_mut(at)) {
            *bar += 1;
        }
    }
    bars
}

/// Draws bars, the highest at full height.
pub(super) fn draw(bars: &[u64; BARS]) -> Markup {
    let most = bars.iter().copied().max().unwrap_or(0).max(1);
    let total: u64 = bars.iter().sum();
    let label = format!("{total} events in the last 10 minutes, at most {most} in 10 seconds");
    html! {
        svg.spark viewBox=(format!("0 0 {} {HEIGHT}", BARS * 6)) preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (index, bar) in bars.iter().enumerate() {
                // What is there is seen: at least two high.
                @let height = if *bar == 0 { 1 } else { (bar * HEIGHT / most).max(3) };
                rect.none[*bar == 0] x=(index * 6) y=(HEIGHT - height) width="4" height=(height) rx="1" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crucible_services::events::{EventPayload, EventSource, EventType};

    use super::*;

    #[test]
    fn events_are_counted_by_age_and_old_ones_are_left_out() {
        let now = Timestamp::from_second(10_000).unwrap();
        let event = |age: i64| {
            let name = "x".to_owned();
            let kind = EventType::Custom { name };
            let mut event =
                DaemonEvent::new(kind, EventSource::manual("m"), EventPayload::text(""));
            event.timestamp = now - SignedDuration::from_secs(age);
            Arc::new(event)
        };
        let events: Vec<_> = [-5, 0, 9, 10, 599, 600, 9000].map(event).into();
        let bars = histogram(&events, now);
        assert_eq!((bars[59], bars[58], bars[0]), (3, 1, 1));
        assert_eq!(bars.iter().sum::<u64>(), 5);
    }

    #[test]
    fn drawing_says_in_words_what_it_shows() {
        let mut bars = [0; BARS];
        bars[3] = 7;
        let svg = draw(&bars).into_string();
        assert!(svg.contains("7 events in the last 10 minutes, at most 7 in 10 seconds"));
        assert_eq!(svg.matches("<rect").count(), BARS);
        assert!(!svg.contains("style="));
    }
}
