-- The text that a configuration was made of; NULL where it may hold keys. As bytes, so that every text comes back as it
-- was: in UTF-8, with characters that a column of texts refuses.
ALTER TABLE config_version ADD COLUMN source_text BYTEA;
