-- What the links of mails are for. A ticket is gone once it was used, and a newer one takes its place.

CREATE TABLE tickets (
    id         uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    purpose    text        NOT NULL,
    email      text        NOT NULL,
    digest     bytea       NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,

    CONSTRAINT tickets_pkey PRIMARY KEY (id),
    -- The newest is the only one.
    CONSTRAINT tickets_tenant_id_user_id_purpose_key UNIQUE (tenant_id, user_id, purpose),
    CONSTRAINT tickets_digest_key UNIQUE (digest),
    CONSTRAINT tickets_user_id_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT tickets_purpose_check CHECK (purpose IN ('verify_email', 'reset_password')),
    CONSTRAINT tickets_digest_length_check CHECK (octet_length(digest) = 32),
    CONSTRAINT tickets_expires_at_check CHECK (expires_at > issued_at)
);

-- The purge walks this.
CREATE INDEX tickets_expires_at_idx ON tickets (expires_at);

COMMENT ON TABLE tickets IS 'Links of mails that have not been used. Their secrets are not kept: they are derived when a mail is written.';
COMMENT ON COLUMN tickets.email IS 'The address that the mail went to: it proves nothing about another one.';
COMMENT ON COLUMN tickets.digest IS 'SHA-256 of the secret in the link.';
