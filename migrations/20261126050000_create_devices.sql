-- Browsers and apps that an account has signed in with. A browser that several accounts share is a row for each.

CREATE TABLE devices (
    id            uuid        NOT NULL,
    tenant_id     uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    token_digest  bytea       NOT NULL,
    kind          text,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,

    CONSTRAINT devices_pkey PRIMARY KEY (id),
    -- So that a session can point to a device of its own account, and to no other.
    CONSTRAINT devices_tenant_id_user_id_id_key UNIQUE (tenant_id, user_id, id),
    -- In this order it also finds the other accounts of a browser.
    CONSTRAINT devices_tenant_id_token_digest_user_id_key UNIQUE (tenant_id, token_digest, user_id),
    CONSTRAINT devices_user_id_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT devices_token_digest_length_check CHECK (octet_length(token_digest) = 32),
    CONSTRAINT devices_kind_length_check CHECK (char_length(kind) BETWEEN 1 AND 100),
    CONSTRAINT devices_last_seen_at_check CHECK (last_seen_at >= first_seen_at)
);

-- The purge walks this.
CREATE INDEX devices_last_seen_at_idx ON devices (last_seen_at);

COMMENT ON TABLE devices IS 'Devices that accounts have signed in with. Purged when they have not been seen for 180 days.';
COMMENT ON COLUMN devices.token_digest IS 'SHA-256 of the random token that the device presents when somebody signs in.';
COMMENT ON COLUMN devices.kind IS 'Browser and system in words, such as Firefox on Linux: what the device is called, and what it has to stay to be believed. Null where its program is none of the known ones.';
COMMENT ON COLUMN devices.first_seen_at IS 'The first good sign-in with it.';
COMMENT ON COLUMN devices.last_seen_at IS 'The last good sign-in with it.';
