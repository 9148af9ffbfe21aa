-- Keys that live in a device, behind a face or a finger, and sign in its holder.

CREATE TABLE device_keys (
    id            uuid        NOT NULL,
    tenant_id     uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    device_id     uuid,
    client_device text        NOT NULL,
    algorithm     text        NOT NULL,
    public_key    bytea       NOT NULL,
    kind          text        NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz,

    CONSTRAINT device_keys_pkey PRIMARY KEY (id),
    CONSTRAINT device_keys_user_id_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    -- A device that is forgotten takes its keys along.
    CONSTRAINT device_keys_device_id_fkey FOREIGN KEY (tenant_id, user_id, device_id)
        REFERENCES devices (tenant_id, user_id, id) ON DELETE CASCADE,
    CONSTRAINT device_keys_client_device_length_check CHECK (char_length(client_device) BETWEEN 1 AND 128),
    CONSTRAINT device_keys_public_key_check CHECK (
        (algorithm = 'p256' AND octet_length(public_key) = 65)
        OR (algorithm = 'ed25519' AND octet_length(public_key) = 32)),
    CONSTRAINT device_keys_kind_check CHECK (kind IN ('faceId', 'touchId', 'fingerprint'))
);

-- The list of an account, and what goes with it or with its device.
CREATE INDEX device_keys_user_id_idx ON device_keys (tenant_id, user_id, device_id);

COMMENT ON TABLE device_keys IS 'Public keys by whose signatures devices sign in. They go with the device that they were registered on.';
COMMENT ON COLUMN device_keys.device_id IS 'The device of the session that registered it; null where that was not known any more.';
COMMENT ON COLUMN device_keys.client_device IS 'What the application calls the device. A sign-in has to name it.';
COMMENT ON COLUMN device_keys.public_key IS 'p256: the uncompressed point (SEC 1); ed25519: 32 bytes (RFC 8032).';

CREATE TABLE spent_challenges (
    digest     bytea       NOT NULL,
    expires_at timestamptz NOT NULL,

    CONSTRAINT spent_challenges_pkey PRIMARY KEY (digest),
    CONSTRAINT spent_challenges_digest_length_check CHECK (octet_length(digest) = 32)
);

-- The purge walks this.
CREATE INDEX spent_challenges_expires_at_idx ON spent_challenges (expires_at);

COMMENT ON TABLE spent_challenges IS 'Challenges that a device key has signed, until they would have expired anyway. Those that wait are kept nowhere.';

-- What was proved before a challenge was made: a password, or a device key.
ALTER TABLE sign_in_challenges ADD COLUMN amr text[] NOT NULL DEFAULT '{pwd}';

COMMENT ON COLUMN sign_in_challenges.amr IS 'Which factors were proved before it (RFC 8176).';
