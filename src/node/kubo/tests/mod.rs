//! The adapter against servers inside the process, which answer as Kubo does, or as an enemy would.
