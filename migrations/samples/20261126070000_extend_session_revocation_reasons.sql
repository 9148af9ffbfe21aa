UPDATE sessions SET revoked_at = '2026-01-02T00:00:00Z', revoked_reason = 'account_deleted'
WHERE id = '01890000-0000-7000-8000-000000000004';
