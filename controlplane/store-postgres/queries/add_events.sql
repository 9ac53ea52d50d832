INSERT INTO event (event_id, node_id, kind, provider, credential, model, about_model, http_status, error_type, hint_ms,
    seen_epoch, age_ms, rest_scope, rest_round, at_ms)
SELECT *, $15 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
    $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::bigint[])
ON CONFLICT (event_id) DO NOTHING
