-- Content: the tag that an image has upstream. NULL: the one it has here; empty: none, it was asked for by digest and named here.
ALTER TABLE images ADD COLUMN upstream_tag TEXT;
