INSERT INTO sessions (id, tenant_id, user_id, family_id, mac_key_id, created_at, rotated_at, last_active_at,
                      idle_expires_at, absolute_expires_at, revoked_at, revoked_reason, auth_time, amr, acr)
VALUES ('01890000-0000-7000-8000-000000110004', '01890000-0000-7000-8000-000000000001',
        '01890000-0000-7000-8000-000000000002', '01890000-0000-4000-8000-000000110005',
        '01890000-0000-7000-8000-000000000003', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z',
        '2026-01-31T00:00:00Z', '2026-04-01T00:00:00Z', '2026-01-02T00:00:00Z', 'client_revoked',
        '2026-01-01T00:00:00Z', '{pwd}', 'aal1');
