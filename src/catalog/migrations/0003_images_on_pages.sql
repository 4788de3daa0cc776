-- What the pages of a repository list, without looking at its rows.
CREATE INDEX images_on_pages ON images (repository, tag, page_rows) WHERE attached_to IS NULL;
