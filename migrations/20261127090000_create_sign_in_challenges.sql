-- Sign-ins that were good so far and wait for something more than a password.

CREATE TABLE sign_in_challenges (
    id            uuid        NOT NULL,
    tenant_id     uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    token_digest  bytea       NOT NULL,
    device_digest bytea       NOT NULL,
    methods       text[]      NOT NULL,
    failures      smallint    NOT NULL DEFAULT 0,
    issued_at     timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,

    CONSTRAINT sign_in_challenges_pkey PRIMARY KEY (id),
    CONSTRAINT sign_in_challenges_token_digest_key UNIQUE (token_digest),
    CONSTRAINT sign_in_challenges_user_id_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT sign_in_challenges_token_digest_length_check CHECK (octet_length(token_digest) = 32),
    CONSTRAINT sign_in_challenges_device_digest_length_check CHECK (octet_length(device_digest) = 32),
    CONSTRAINT sign_in_challenges_methods_check CHECK (
        cardinality(methods) > 0 AND methods <@ ARRAY ['email_code']),
    -- The fifth wrong code ends it.
    CONSTRAINT sign_in_challenges_failures_check CHECK (failures BETWEEN 0 AND 4),
    CONSTRAINT sign_in_challenges_expires_at_check CHECK (expires_at > issued_at)
);

-- What ends all of an account.
CREATE INDEX sign_in_challenges_user_id_idx ON sign_in_challenges (tenant_id, user_id);
-- The purge walks this.
CREATE INDEX sign_in_challenges_expires_at_idx ON sign_in_challenges (expires_at);

COMMENT ON TABLE sign_in_challenges IS 'Sign-ins whose password was right, and that wait for something more. Gone once answered, or after five wrong codes.';
COMMENT ON COLUMN sign_in_challenges.token_digest IS 'SHA-256 of the mfaToken, by which the client goes on.';
COMMENT ON COLUMN sign_in_challenges.device_digest IS 'SHA-256 of what the device presented itself as, known or not: nobody else can answer.';
COMMENT ON COLUMN sign_in_challenges.methods IS 'What it may be answered by. The code of a mail is not kept: it is derived when the mail is written.';
COMMENT ON COLUMN sign_in_challenges.failures IS 'How many wrong codes it was answered with.';

-- Wrong codes of one account, whichever sign-ins they were for.
ALTER TABLE login_failures
    DROP CONSTRAINT login_failures_kind_check,
    ADD CONSTRAINT login_failures_kind_check CHECK (kind IN ('account', 'device', 'holder', 'client', 'factor'));

COMMENT ON COLUMN login_failures.kind IS 'account: sign-ins from unknown devices; device: from one that the account knows; holder: wrong current passwords of who is signed in; client: sign-ins from one network address; factor: wrong codes after a right password.';
