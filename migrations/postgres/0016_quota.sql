-- Budgets, by period. Amounts are in the budget's unit, of money in billionths of a US dollar. Whose it is: `provider` or
-- `client` with a name, or `credential` with the provider's name and its own; where there is none it is ''.
CREATE TABLE quota_window (
    subject      TEXT   NOT NULL COLLATE "C",
    owner        TEXT   NOT NULL COLLATE "C",
    credential   TEXT   NOT NULL COLLATE "C",
    -- tokens, requests or usd.
    unit         TEXT   NOT NULL COLLATE "C",
    period_ms    BIGINT NOT NULL,
    ends_ms      BIGINT NOT NULL,
    limit_amount BIGINT NOT NULL,
    -- What is spent, as far as nodes said.
    settled      BIGINT NOT NULL,
    -- What is granted and neither spent nor given back: the sum of what the rows of quota_escrow can still spend.
    outstanding  BIGINT NOT NULL,
    -- The highest part of the limit, in percent, whose crossing was told; 0 for none.
    told_percent BIGINT NOT NULL,
    PRIMARY KEY (subject, owner, credential, unit, period_ms)
) WITH (fillfactor = 50);

-- Who was granted what of them. The sums of one process only grow.
CREATE TABLE quota_escrow (
    subject     TEXT   NOT NULL COLLATE "C",
    owner       TEXT   NOT NULL COLLATE "C",
    credential  TEXT   NOT NULL COLLATE "C",
    unit        TEXT   NOT NULL COLLATE "C",
    period_ms   BIGINT NOT NULL,
    node_id     TEXT   NOT NULL COLLATE "C",
    incarnation BIGINT NOT NULL,
    granted     BIGINT NOT NULL,
    spent       BIGINT NOT NULL,
    returned    BIGINT NOT NULL,
    -- Which process of the node said that this one spends no more; NULL while it spends.
    closed_by   BIGINT,
    PRIMARY KEY (subject, owner, credential, unit, period_ms, node_id, incarnation)
) WITH (fillfactor = 50);

-- Who has which share of a rate. Times are the database's. Whoever reads or writes any row of these tables holds advisory
-- locks against others who do.
CREATE TABLE rate_share (
    subject     TEXT   NOT NULL COLLATE "C",
    owner       TEXT   NOT NULL COLLATE "C",
    credential  TEXT   NOT NULL COLLATE "C",
    -- requests_per_minute, tokens_per_minute or concurrent_requests.
    kind        TEXT   NOT NULL COLLATE "C",
    node_id     TEXT   NOT NULL COLLATE "C",
    incarnation BIGINT NOT NULL,
    -- The number of the claim that it comes from.
    req         BIGINT NOT NULL,
    share       BIGINT NOT NULL,
    -- The share, or what was used within the minute before, if that is more.
    held        BIGINT NOT NULL,
    safe_share  BIGINT NOT NULL,
    demand      BIGINT NOT NULL,
    expires_ms  BIGINT NOT NULL,
    -- What the provider said of the limit last, and when; NULL when it said nothing.
    told_limit  BIGINT,
    told_ms     BIGINT,
    PRIMARY KEY (subject, owner, credential, kind, node_id, incarnation)
) WITH (fillfactor = 50);

-- For what is forgotten.
CREATE INDEX quota_window_ends ON quota_window (ends_ms);
CREATE INDEX rate_share_expires ON rate_share (expires_ms);
