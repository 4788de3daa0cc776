-- What a publication cost besides bytes: requests to its target, the plan's included. NULL: it is not asked by requests, or not known.
ALTER TABLE publications ADD COLUMN requests INTEGER;
