//! Rule files: read, written, and read again.

mod any_rules;
mod editing;
mod faults;
mod hostile;
mod locking;
mod reading;
mod writing;
