INSERT INTO device_keys VALUES
    ('01890000-0000-7000-8000-000000000093', '01890000-0000-7000-8000-000000000001',
     '01890000-0000-7000-8000-000000000002', NULL, 'telephone', 'ed25519', decode(repeat('ed', 32), 'hex'), 'fingerprint',
     '2026-01-01T00:00:00Z', NULL);
INSERT INTO spent_challenges VALUES (decode(repeat('5c', 32), 'hex'), '2026-01-01T00:05:00Z');
