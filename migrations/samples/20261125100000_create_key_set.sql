INSERT INTO signing_keys (kid, state, modulus, exponent, private_sealed, master_key_id, created_at)
VALUES ('sample-next', 'next', decode(repeat('ff', 256), 'hex'), '\x010001', '\x00', 'sample', '2026-01-02T00:00:00Z');

UPDATE key_set SET version = 2, minimum_version = 2;
