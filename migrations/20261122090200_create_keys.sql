-- Keys belong to the installation, not to a tenant.

CREATE TABLE secret_keys (
    id            uuid        NOT NULL,
    purpose       text        NOT NULL,
    state         text        NOT NULL,
    sealed        bytea       NOT NULL,
    master_key_id text        NOT NULL,
    created_at    timestamptz NOT NULL,

    CONSTRAINT secret_keys_pkey PRIMARY KEY (id),
    CONSTRAINT secret_keys_purpose_check CHECK (purpose IN ('refresh_token')),
    CONSTRAINT secret_keys_state_check CHECK (state IN ('active', 'retired')),
    CONSTRAINT secret_keys_master_key_id_check CHECK (master_key_id <> '')
);

-- What several replicas that start at once are held to: one of them makes the key.
CREATE UNIQUE INDEX secret_keys_active_key ON secret_keys (purpose) WHERE state = 'active';

COMMENT ON TABLE secret_keys IS 'Symmetric keys: 32 random bytes each, sealed under the master key.';
COMMENT ON COLUMN secret_keys.state IS 'active: makes and checks; retired: only checks what it has made.';
COMMENT ON COLUMN secret_keys.sealed IS 'AES-256-GCM: nonce, ciphertext, tag; the associated data names the row.';

CREATE TABLE signing_keys (
    kid            text        NOT NULL,
    state          text        NOT NULL,
    modulus        bytea       NOT NULL,
    exponent       bytea       NOT NULL,
    private_sealed bytea,
    master_key_id  text,
    created_at     timestamptz NOT NULL,
    activated_at   timestamptz,
    retired_at     timestamptz,
    publish_until  timestamptz,
    removed_at     timestamptz,

    CONSTRAINT signing_keys_pkey PRIMARY KEY (kid),
    CONSTRAINT signing_keys_kid_format_check CHECK (kid ~ '^[!-~]{1,128}$'),
    CONSTRAINT signing_keys_state_check CHECK (state IN ('next', 'active', 'retired', 'removed')),
    CONSTRAINT signing_keys_modulus_check CHECK (octet_length(modulus) BETWEEN 256 AND 512),
    CONSTRAINT signing_keys_exponent_check CHECK (exponent = '\x010001'),
    -- Every state but the last may still sign, or be made to; the last has nothing left to steal.
    CONSTRAINT signing_keys_private_check CHECK ((private_sealed IS NULL) = (state = 'removed')),
    CONSTRAINT signing_keys_master_key_id_check CHECK ((master_key_id IS NULL) = (private_sealed IS NULL)),
    -- A state is reached at a moment that is kept, and no state is claimed without its moment.
    CONSTRAINT signing_keys_activated_at_check CHECK (state <> 'active' OR activated_at IS NOT NULL),
    CONSTRAINT signing_keys_retired_at_check CHECK (state NOT IN ('next', 'active') OR retired_at IS NULL),
    CONSTRAINT signing_keys_retired_check CHECK (state <> 'retired' OR retired_at IS NOT NULL),
    CONSTRAINT signing_keys_publish_until_check CHECK (publish_until IS NULL OR retired_at IS NOT NULL),
    CONSTRAINT signing_keys_removed_at_check CHECK ((removed_at IS NOT NULL) = (state = 'removed'))
);

-- One key signs, whatever two operators or replicas do at the same moment.
CREATE UNIQUE INDEX signing_keys_active_key ON signing_keys (state) WHERE state = 'active';

COMMENT ON TABLE signing_keys IS 'RSA keys of access tokens. next: published, not signing; active: signing; retired: published only; removed: neither.';
COMMENT ON COLUMN signing_keys.modulus IS 'Big-endian, without leading zeros; 2048 to 4096 bits.';
COMMENT ON COLUMN signing_keys.private_sealed IS 'PKCS#8 DER under AES-256-GCM; the associated data names the key.';
COMMENT ON COLUMN signing_keys.publish_until IS 'When a retired key leaves the key set: its last token has expired by then. Null: until it is removed by hand.';
