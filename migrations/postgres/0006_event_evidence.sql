-- Events say what was seen.
ALTER TABLE event ADD COLUMN model TEXT NOT NULL DEFAULT '';
-- Whether the provider spoke of this model alone.
ALTER TABLE event ADD COLUMN about_model BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN error_type TEXT NOT NULL DEFAULT '';
-- The wait that the provider named; NULL when it named none.
ALTER TABLE event ADD COLUMN hint_ms BIGINT;
-- How long before it was sent it happened.
ALTER TABLE event ADD COLUMN age_ms BIGINT NOT NULL DEFAULT 0;
-- provider, credential or model: how much rests that a verdict or a wish is about. Empty when it is about none.
ALTER TABLE event ADD COLUMN rest_scope TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN rest_round BIGINT NOT NULL DEFAULT 0;
