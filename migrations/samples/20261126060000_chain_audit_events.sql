INSERT INTO audit_events (id, tenant_id, type, subject_id, ip_address, user_agent, detail, occurred_at)
VALUES ('01890000-0000-7000-8000-000000000106', '01890000-0000-7000-8000-000000000001', 'login_failed',
        '01890000-0000-7000-8000-000000000002', '192.0.2.1', 'Sample/1.0', '{"reason": "the password is wrong"}',
        '2026-01-01T00:00:00Z'),
       ('01890000-0000-7000-8000-000000000107', NULL, 'key_generated', NULL, NULL, NULL, '{"kid": "sample"}',
        '2026-01-01T00:00:00Z');
