-- Content: the tag that an image has upstream. NULL: the one it has here; empty: none, it was asked for by digest and named here.
ALTER TABLE images ADD COLUMN upstream_tag TEXT;

-- The other indexes of images by repository leave some of them out, so a look at one repository would read all there are.
CREATE INDEX images_by_repository ON images (repository);
-- Removing a blob asks whether anything refers to it.
CREATE INDEX gateway_by_manifest ON gateway_manifests (manifest);
