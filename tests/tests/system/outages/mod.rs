//! Parts that stop, die and come back. Each test has a system of its own.

mod origin;
mod restarts;
mod stores;
