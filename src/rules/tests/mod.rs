//! Rule files: read, written, and read again.

mod any_rules;
mod faults;
mod hostile;
mod reading;
mod writing;
