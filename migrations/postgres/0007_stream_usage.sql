-- Of ok, those that were streams, with the sums of their latencies and of their times to the first event.
ALTER TABLE usage_1m ADD COLUMN streams BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_1m ADD COLUMN stream_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_1m ADD COLUMN first_event_us BIGINT NOT NULL DEFAULT 0;
