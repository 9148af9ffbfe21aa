//! From what was sent to what is meant: a request is parsed into values that cannot be wrong.

use portcullis_shared::problem::FieldError;

use super::problem::Problem;

/// A request body. Its fields are optional, so that everything that is missing can be named at once.
pub trait Validate: Sized {
    /// What the handler gets.
    type Valid;

    /// Parses the fields. Whatever is wrong goes into `violations`; `None` is allowed only with at least one.
    fn validate(self, violations: &mut Violations) -> Option<Self::Valid>;
}

/// What is wrong with the fields of one request.
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldError>);

impl Violations {
    /// Adds an entry: `field` as the client spells it, a stable `code`, and a `message` for people.
    pub fn add(&mut self, field: &str, code: &str, message: &str) {
        self.0.push(FieldError {
            field: field.into(),
            code: code.into(),
            message: message.into(),
        });
    }

    /// The value, or an entry with the code `required`.
    pub fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(field, "required", "This field is required.");
        }
        value
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The refusal that names them all.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        Problem::validation_failed(self.0)
    }
}
