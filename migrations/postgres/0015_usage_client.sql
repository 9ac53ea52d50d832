-- Usage apart by the client that asked and by the price that its cost is reckoned by, which become part of the key of
-- every table; and the cost. What was counted before is of no client ('') and at no price (''), and cost nothing.

ALTER TABLE usage_1m
    ADD COLUMN client TEXT NOT NULL DEFAULT '' COLLATE "C",
    ADD COLUMN price_version TEXT NOT NULL DEFAULT '' COLLATE "C",
    ADD COLUMN cost_nanos BIGINT NOT NULL DEFAULT 0,
    DROP CONSTRAINT usage_1m_pkey,
    ADD PRIMARY KEY (minute_ms, provider, credential, model, client, price_version, shard);

ALTER TABLE usage_1h
    ADD COLUMN client TEXT NOT NULL DEFAULT '' COLLATE "C",
    ADD COLUMN price_version TEXT NOT NULL DEFAULT '' COLLATE "C",
    ADD COLUMN cost_nanos BIGINT NOT NULL DEFAULT 0,
    DROP CONSTRAINT usage_1h_pkey,
    ADD PRIMARY KEY (hour_ms, provider, credential, model, client, price_version);

ALTER TABLE usage_1d
    ADD COLUMN client TEXT NOT NULL DEFAULT '' COLLATE "C",
    ADD COLUMN price_version TEXT NOT NULL DEFAULT '' COLLATE "C",
    ADD COLUMN cost_nanos BIGINT NOT NULL DEFAULT 0,
    DROP CONSTRAINT usage_1d_pkey,
    ADD PRIMARY KEY (day_ms, provider, credential, model, client, price_version);

ALTER TABLE usage_late
    ADD COLUMN client TEXT NOT NULL DEFAULT '' COLLATE "C",
    ADD COLUMN price_version TEXT NOT NULL DEFAULT '' COLLATE "C",
    ADD COLUMN cost_nanos BIGINT NOT NULL DEFAULT 0,
    DROP CONSTRAINT usage_late_pkey,
    ADD PRIMARY KEY (hour_ms, provider, credential, model, client, price_version);
