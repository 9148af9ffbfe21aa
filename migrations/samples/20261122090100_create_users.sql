INSERT INTO users (id, tenant_id, email, first_name, last_name, phone, created_at, updated_at)
VALUES ('01890000-0000-7000-8000-000000000002', '01890000-0000-7000-8000-000000000001', 'sample@example.com',
        'Sample', 'User', '+4915112345678', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z');
