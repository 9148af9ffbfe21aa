INSERT INTO sessions (id, tenant_id, user_id, family_id, mac_key_id, created_at, rotated_at, last_active_at,
                      idle_expires_at, absolute_expires_at, auth_time, amr, acr, ip_address, user_agent)
VALUES ('01890000-0000-7000-8000-000000000004', '01890000-0000-7000-8000-000000000001',
        '01890000-0000-7000-8000-000000000002', '01890000-0000-4000-8000-000000000005',
        '01890000-0000-7000-8000-000000000003', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z',
        '2026-01-31T00:00:00Z', '2026-04-01T00:00:00Z', '2026-01-01T00:00:00Z', '{pwd}', 'aal1', '192.0.2.1', 'sample');
