INSERT INTO secret_keys (id, purpose, state, sealed, master_key_id, created_at)
VALUES ('01890000-0000-7000-8000-000000000003', 'refresh_token', 'active', '\x00', 'sample', '2026-01-01T00:00:00Z');

INSERT INTO signing_keys (kid, state, modulus, exponent, private_sealed, master_key_id, created_at, activated_at)
VALUES ('sample', 'active', decode(repeat('ff', 256), 'hex'), '\x010001', '\x00', 'sample',
        '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z');
