//! What an operator gets to see of the edge: its log, its counters, `Server-Timing`, and routes in shadow.

mod counters;
mod log;
mod server_timing;
mod shadow;

use portcullis_tests::answer::Answer;

/// All values of a header that the upstream saw.
#[track_caller]
fn seen(answer: &Answer, name: &str) -> Vec<String> {
    let seen = answer.json();
    let headers = seen["headers"]
        .as_array()
        .unwrap_or_else(|| panic!("not the upstream's answer: {answer:?}"));
    let of_name = headers.iter().filter(|header| header[0] == name);
    of_name
        .map(|header| header[1].as_str().unwrap().to_owned())
        .collect()
}
