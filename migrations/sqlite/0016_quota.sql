-- Budgets, by period. Amounts are in the budget's unit, of money in billionths of a US dollar. Whose it is: `provider` or
-- `client` with a name, or `credential` with the provider's name and its own; where there is none it is ''.
CREATE TABLE quota_window (
    subject      TEXT    NOT NULL,
    owner        TEXT    NOT NULL,
    credential   TEXT    NOT NULL,
    -- tokens, requests or usd.
    unit         TEXT    NOT NULL,
    period_ms    INTEGER NOT NULL,
    ends_ms      INTEGER NOT NULL,
    limit_amount INTEGER NOT NULL,
    -- What is spent, as far as nodes said.
    settled      INTEGER NOT NULL,
    -- What is granted and neither spent nor given back: the sum of what the rows of quota_escrow can still spend.
    outstanding  INTEGER NOT NULL,
    -- The highest part of the limit, in percent, whose crossing was told; 0 for none.
    told_percent INTEGER NOT NULL,
    PRIMARY KEY (subject, owner, credential, unit, period_ms)
) STRICT, WITHOUT ROWID;

-- Who was granted what of them. The sums of one process only grow.
CREATE TABLE quota_escrow (
    subject     TEXT    NOT NULL,
    owner       TEXT    NOT NULL,
    credential  TEXT    NOT NULL,
    unit        TEXT    NOT NULL,
    period_ms   INTEGER NOT NULL,
    node_id     TEXT    NOT NULL,
    incarnation INTEGER NOT NULL,
    granted     INTEGER NOT NULL,
    spent       INTEGER NOT NULL,
    returned    INTEGER NOT NULL,
    -- Which process of the node said that this one spends no more; NULL while it spends.
    closed_by   INTEGER,
    PRIMARY KEY (subject, owner, credential, unit, period_ms, node_id, incarnation)
) STRICT, WITHOUT ROWID;

-- Who has which share of a rate. Times are the database's.
CREATE TABLE rate_share (
    subject     TEXT    NOT NULL,
    owner       TEXT    NOT NULL,
    credential  TEXT    NOT NULL,
    -- requests_per_minute, tokens_per_minute or concurrent_requests.
    kind        TEXT    NOT NULL,
    node_id     TEXT    NOT NULL,
    incarnation INTEGER NOT NULL,
    -- The number of the claim that it comes from.
    req         INTEGER NOT NULL,
    share       INTEGER NOT NULL,
    -- The share, or what was used within the minute before, if that is more.
    held        INTEGER NOT NULL,
    safe_share  INTEGER NOT NULL,
    demand      INTEGER NOT NULL,
    expires_ms  INTEGER NOT NULL,
    -- What the provider said of the limit last, and when; NULL when it said nothing.
    told_limit  INTEGER,
    told_ms     INTEGER,
    PRIMARY KEY (subject, owner, credential, kind, node_id, incarnation)
) STRICT, WITHOUT ROWID;

-- For what is forgotten.
CREATE INDEX quota_window_ends ON quota_window (ends_ms);
CREATE INDEX rate_share_expires ON rate_share (expires_ms);
