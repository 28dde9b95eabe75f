//! Counting instead of writing: floods, full queues, and what comes back.

use auth::audit::AuditUser;

use super::*;

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(1_800_000_000 + seconds)
}

fn refused(seconds: i64, reason: &str, address: u32) -> AuditRecord {
    AuditRecord {
        address: Some(format!("192.0.2.{address}")),
        door: Some(Door::Custom),
        ..AuditRecord::new(
            at(seconds),
            AuditEvent::Refused {
                reason: reason.to_owned(),
                command: None,
            },
        )
    }
}

fn rotated(seconds: i64) -> AuditRecord {
    AuditRecord {
        user: Some(AuditUser {
            issuer: "https://issuer.example".to_owned(),
            subject: "ada".to_owned(),
        }),
        ..AuditRecord::new(at(seconds), AuditEvent::SecretRotated)
    }
}

/// Everything that would be written at this time.
fn taken(waiting: &mut Waiting, now: Option<UnixTime>) -> Vec<AuditRecord> {
    let mut all = Vec::new();
    loop {
        let batch = waiting.take(now);
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
    }
}

fn sum(records: &[AuditRecord]) -> u32 {
    records.iter().map(|record| record.count).sum()
}

#[test]
fn a_flood_of_equal_refusals_is_two_entries_a_minute() {
    let mut waiting = Waiting::default();
    for number in 0..1_000 {
        waiting.add(refused(number % 60, "bad_signature", 1));
    }
    waiting.add(refused(5, "expired", 1));
    waiting.add(refused(5, "bad_signature", 2));

    let now = taken(&mut waiting, Some(at(59)));
    assert_eq!(
        now,
        [
            refused(0, "bad_signature", 1),
            refused(5, "expired", 1),
            refused(5, "bad_signature", 2),
        ],
        "the first of each at once"
    );
    let then = taken(&mut waiting, Some(at(60)));
    let rest = AuditRecord {
        count: 999,
        ..refused(39, "bad_signature", 1)
    };
    assert_eq!(then, [rest], "the rest when the minute is over");
    assert!(waiting.repeated.is_empty());
    // The next minute begins anew.
    waiting.add(refused(60, "bad_signature", 1));
    assert_eq!(
        taken(&mut waiting, Some(at(60))),
        [refused(60, "bad_signature", 1)]
    );
}

#[test]
fn a_flood_of_different_refusals_is_bounded_too() {
    let mut waiting = Waiting::default();
    for address in 0..10_000 {
        // The command is made of the origin that somebody sent.
        let event = AuditEvent::Refused {
            reason: "origin_not_allowed".to_owned(),
            command: Some(format!(
                "vestibule domain add https://{address}.example --env live"
            )),
        };
        waiting.add(AuditRecord {
            event,
            ..refused(1, "", address)
        });
    }
    assert!(waiting.repeated.len() <= MAX_DIFFERENT + 1);
    let all = taken(&mut waiting, None);
    assert!(all.len() <= MAX_DIFFERENT + 2, "{} entries", all.len());
    assert_eq!(sum(&all), 10_000, "all are counted");
    let rest = all.last().unwrap();
    assert_eq!((&rest.address, rest.door), (&None, Some(Door::Custom)));
}

#[test]
fn what_people_do_is_never_counted_together() {
    let mut waiting = Waiting::default();
    for _ in 0..3 {
        waiting.add(rotated(1));
    }
    assert_eq!(taken(&mut waiting, Some(at(1))), vec![rotated(1); 3]);
}

#[test]
fn a_full_queue_says_how_much_it_dropped() {
    let mut waiting = Waiting::default();
    for second in 0..5_000 {
        waiting.add(rotated(second));
    }
    assert_eq!(waiting.queue.len(), MAX_WAITING);
    let all = taken(&mut waiting, None);
    let dropped: Vec<_> = all
        .iter()
        .filter(|record| record.event == AuditEvent::EventsDropped)
        .collect();
    assert_eq!(dropped.len(), 1);
    assert_eq!(dropped[0].count as usize, 5_000 - MAX_WAITING);
    assert_eq!(sum(&all), 5_000);
    assert_eq!(taken(&mut waiting, None), []);
}

#[test]
fn what_could_not_be_written_comes_first_the_next_time() {
    let mut waiting = Waiting::default();
    let records: Vec<_> = (0..3).map(rotated).collect();
    for record in &records {
        waiting.add(record.clone());
    }
    let batch = waiting.take(None);
    waiting.add(rotated(3));
    waiting.put_back(batch);
    let again = taken(&mut waiting, None);
    assert_eq!(again[..3], records[..]);
    assert_eq!(again.len(), 4);
}
