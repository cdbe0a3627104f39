//! When a tenant's night is: from ten in the evening to six in the morning of its zone.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;

const EVENING: u32 = 22;
const MORNING: u32 = 6;

/// When the night begins that work has to wait for; none while it is night.
pub fn waits_until(now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let local = now.with_timezone(&zone);
    if local.hour() >= EVENING || local.hour() < MORNING {
        return None;
    }
    let evening = NaiveTime::from_hms_opt(EVENING, 0, 0).unwrap_or_default();
    let today = local.date_naive().and_time(evening);
    let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(today);
    // Clocks may be put forward over the evening, or a whole day be left out.
    let evenings = [today, today + TimeDelta::hours(1), tomorrow];
    let begins = evenings.into_iter().find_map(|at| zone.from_local_datetime(&at).earliest());
    Some(begins.map_or(now + TimeDelta::hours(8), |at| at.with_timezone(&Utc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_waits_for_the_evening_of_the_zone() {
        let zone = Tz::America__Sao_Paulo;
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (now, until) in [
            ("2026-03-10T12:00:00Z", Some("2026-03-11T01:00:00Z")),
            ("2026-03-11T00:59:59Z", Some("2026-03-11T01:00:00Z")),
            ("2026-03-11T01:00:00Z", None),
            ("2026-03-11T08:59:59Z", None),
            ("2026-03-11T09:00:00Z", Some("2026-03-12T01:00:00Z")),
        ] {
            assert_eq!(waits_until(at(now), zone), until.map(at), "{now}");
        }
    }
}
