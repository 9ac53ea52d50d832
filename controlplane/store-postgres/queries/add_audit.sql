INSERT INTO audit (audit_id, at_ms, actor, origin, action, provider, subject, reason, before_value, after_value)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[])
ON CONFLICT (audit_id) DO NOTHING
