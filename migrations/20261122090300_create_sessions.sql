-- A session is one sign-in on one device. It owns one refresh family: a chain of
-- tokens of which only the position is kept. A token itself is derived, never stored.

CREATE TABLE sessions (
    id                  uuid        NOT NULL,
    tenant_id           uuid        NOT NULL,
    user_id             uuid        NOT NULL,
    family_id           uuid        NOT NULL,
    generation          bigint      NOT NULL DEFAULT 0,
    mac_key_id          uuid        NOT NULL,
    created_at          timestamptz NOT NULL,
    rotated_at          timestamptz NOT NULL,
    last_active_at      timestamptz NOT NULL,
    idle_expires_at     timestamptz NOT NULL,
    absolute_expires_at timestamptz NOT NULL,
    revoked_at          timestamptz,
    revoked_reason      text,
    auth_time           timestamptz NOT NULL,
    amr                 text[]      NOT NULL,
    acr                 text        NOT NULL,
    ip_address          inet,
    user_agent          text,
    device_name         text,

    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_tenant_id_id_key UNIQUE (tenant_id, id),
    CONSTRAINT sessions_family_id_key UNIQUE (family_id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT sessions_mac_key_id_fkey FOREIGN KEY (mac_key_id) REFERENCES secret_keys (id),
    CONSTRAINT sessions_generation_check CHECK (generation >= 0),
    CONSTRAINT sessions_idle_expiry_check CHECK (idle_expires_at <= absolute_expires_at),
    CONSTRAINT sessions_revoked_check CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL)),
    CONSTRAINT sessions_revoked_reason_check CHECK (revoked_reason IN ('logout', 'refresh_token_reused')),
    CONSTRAINT sessions_amr_check CHECK (cardinality(amr) > 0),
    CONSTRAINT sessions_acr_check CHECK (acr IN ('aal1', 'aal2')),
    CONSTRAINT sessions_user_agent_length_check CHECK (char_length(user_agent) <= 512),
    CONSTRAINT sessions_device_name_length_check CHECK (char_length(device_name) BETWEEN 1 AND 100)
)
-- A refresh changes no indexed column; room on the page lets it stay there (a HOT update).
WITH (fillfactor = 80);

CREATE INDEX sessions_tenant_id_user_id_idx ON sessions (tenant_id, user_id);
CREATE INDEX sessions_absolute_expires_at_idx ON sessions (absolute_expires_at);

COMMENT ON TABLE sessions IS 'Sign-ins, each with the state of its refresh chain. Purged after absolute_expires_at.';
COMMENT ON COLUMN sessions.family_id IS 'Names the chain inside refresh tokens, and is seen nowhere else.';
COMMENT ON COLUMN sessions.generation IS 'The generation that may be presented now; its predecessor is answered again for a moment, anything older is reuse.';
COMMENT ON COLUMN sessions.mac_key_id IS 'The secret key that every token of this chain is derived under.';
COMMENT ON COLUMN sessions.rotated_at IS 'When the current generation was first given out.';
COMMENT ON COLUMN sessions.idle_expires_at IS 'Moves with every refresh, up to absolute_expires_at. Not indexed, so that refreshes stay cheap.';
COMMENT ON COLUMN sessions.auth_time IS 'When a factor was last proved (the claim auth_time).';
COMMENT ON COLUMN sessions.amr IS 'Which factors were proved (RFC 8176).';
COMMENT ON COLUMN sessions.acr IS 'How strong that was: aal1 or aal2.';
