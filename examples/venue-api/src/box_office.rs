//! The box office's own data: tickets that were sold and events that were planned.
//!
//! Kept in memory, the newest few only: this is an example, and it must not grow.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::seen::Caller;

/// How many tickets, and how many events, are remembered.
const REMEMBERED: usize = 256;
/// The longest text taken from a request, in characters.
const LONGEST_TEXT: usize = 128;

/// All that the box office knows.
#[derive(Default)]
pub(crate) struct BoxOffice {
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    tickets_sold: u64,
    events_planned: u64,
    tickets: VecDeque<Ticket>,
}

struct Ticket {
    venue_id: Option<String>,
    as_json: Value,
}

impl BoxOffice {
    /// Sells the caller a ticket for the `venueId` and `event` of the request, both optional.
    pub(crate) fn sell(&self, caller: &Caller, wish: &Value) -> Value {
        let venue_id = text(wish, "venueId");
        let mut books = self.books();
        books.tickets_sold = books.tickets_sold.saturating_add(1);
        let as_json = json!({
            "number": books.tickets_sold,
            "venueId": venue_id,
            "event": text(wish, "event"),
            "holder": caller.subject,
        });
        if books.tickets.len() == REMEMBERED {
            books.tickets.pop_front();
        }
        books.tickets.push_back(Ticket {
            venue_id,
            as_json: as_json.clone(),
        });
        as_json
    }

    /// The remembered tickets of a venue, oldest first.
    pub(crate) fn tickets_of(&self, venue_id: &str) -> Value {
        let books = self.books();
        let of_venue = books
            .tickets
            .iter()
            .filter(|ticket| ticket.venue_id.as_deref() == Some(venue_id));
        of_venue.map(|ticket| ticket.as_json.clone()).collect()
    }

    /// Plans an event with the `name` of the request.
    pub(crate) fn plan(&self, venue_id: &str, caller: &Caller, wish: &Value) -> Value {
        let mut books = self.books();
        books.events_planned = books.events_planned.saturating_add(1);
        json!({
            "number": books.events_planned,
            "venueId": venue_id,
            "name": text(wish, "name"),
            "plannedBy": caller.subject,
        })
    }

    /// How much was sold and planned since the start.
    pub(crate) fn report(&self) -> Value {
        let books = self.books();
        json!({"ticketsSold": books.tickets_sold, "eventsPlanned": books.events_planned})
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Each change is complete once its counter is raised, so the books of a panicked request are still good.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(wish: &Value, field: &str) -> Option<String> {
    wish.get(field)?
        .as_str()
        .map(|text| text.chars().take(LONGEST_TEXT).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_tickets_are_remembered_and_all_are_counted() {
        let office = BoxOffice::default();
        let nobody = Caller { subject: None };
        let sold = REMEMBERED + 1;
        for _ in 0..sold {
            office.sell(&nobody, &json!({"venueId": "v"}));
        }
        let remembered = office.tickets_of("v");
        assert_eq!(remembered.as_array().unwrap().len(), REMEMBERED);
        assert_eq!(remembered[0]["number"], 2);
        assert_eq!(office.report()["ticketsSold"], sold);
    }

    #[test]
    fn a_long_text_is_cut() {
        let planned = BoxOffice::default().plan(
            "v",
            &Caller { subject: None },
            &json!({"name": "é".repeat(LONGEST_TEXT + 1)}),
        );
        assert_eq!(planned["name"], "é".repeat(LONGEST_TEXT));
    }
}
