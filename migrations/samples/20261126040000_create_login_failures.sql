INSERT INTO login_failures VALUES
    (decode(repeat('a1', 32), 'hex'), 'account', '01890000-0000-7000-8000-000000000001', decode(repeat('a1', 32), 'hex'),
     '{}', '2026-01-01T00:15:00Z', '2026-01-01T00:15:00Z'),
    (decode(repeat('c1', 32), 'hex'), 'client', NULL, NULL, '{2026-01-01T00:00:00Z}', NULL, '2026-01-01T00:15:00Z');
