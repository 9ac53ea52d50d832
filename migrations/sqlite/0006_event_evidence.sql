-- Events say what was seen. What earlier ones lack is empty, 0 or NULL; the rest that they reckoned stays in rest_ms,
-- which is 0 from here on.
ALTER TABLE event ADD COLUMN model TEXT NOT NULL DEFAULT '';
-- Whether the provider spoke of this model alone: 0 or 1.
ALTER TABLE event ADD COLUMN about_model INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN error_type TEXT NOT NULL DEFAULT '';
-- The wait that the provider named; NULL when it named none.
ALTER TABLE event ADD COLUMN hint_ms INTEGER;
-- How long before it was sent it happened.
ALTER TABLE event ADD COLUMN age_ms INTEGER NOT NULL DEFAULT 0;
-- provider, credential or model: how much rests that a verdict or a wish is about. Empty when it is about none.
ALTER TABLE event ADD COLUMN rest_scope TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN rest_round INTEGER NOT NULL DEFAULT 0;
