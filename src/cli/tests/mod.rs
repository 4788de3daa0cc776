//! What is made from the whole command line.

mod guide;
