-- The text that a configuration was made of; NULL where it may hold keys.
ALTER TABLE config_version ADD COLUMN source_text TEXT;
