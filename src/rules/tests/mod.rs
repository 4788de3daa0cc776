//! Rule files: read, written, and read again.

mod any_rules;
mod editing;
mod faults;
mod hostile;
mod reading;
mod writing;
