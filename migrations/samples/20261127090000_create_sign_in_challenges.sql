INSERT INTO sign_in_challenges VALUES
    ('01890000-0000-7000-8000-000000000091', '01890000-0000-7000-8000-000000000001',
     '01890000-0000-7000-8000-000000000002', decode(repeat('cd', 32), 'hex'),
     decode(repeat('de', 32), 'hex'), '{email_code}', 4,
     '2026-01-01T00:00:00Z', '2026-01-01T00:05:00Z');
INSERT INTO login_failures VALUES
    (decode(repeat('f1', 32), 'hex'), 'factor', '01890000-0000-7000-8000-000000000001', decode(repeat('a1', 32), 'hex'),
     '{2026-01-01T00:00:00Z}', NULL, '2026-01-01T00:15:00Z');
