//! Rule files: read, written, and read again.

mod faults;
mod hostile;
mod reading;
