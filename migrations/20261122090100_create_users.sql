CREATE TABLE users (
    id              uuid        NOT NULL,
    tenant_id       uuid        NOT NULL,
    email           text        NOT NULL,
    email_verified  boolean     NOT NULL DEFAULT false,
    password_hash   text,
    first_name      text        NOT NULL,
    last_name       text        NOT NULL,
    phone           text,
    phone_verified  boolean     NOT NULL DEFAULT false,
    role            text        NOT NULL DEFAULT 'customer',
    status          text        NOT NULL DEFAULT 'active',
    kyc_status      text        NOT NULL DEFAULT 'pending',
    kyc_level       integer     NOT NULL DEFAULT 0,
    preferences     jsonb       NOT NULL DEFAULT '{}',
    version         bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    last_login_at   timestamptz,
    last_login_ip   inet,
    deleted_at      timestamptz,
    deleted_by      uuid,
    deletion_reason text,

    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_tenant_id_id_key UNIQUE (tenant_id, id),
    -- Also covers accounts that were deleted and not purged yet: their address is not free.
    CONSTRAINT users_tenant_id_email_key UNIQUE (tenant_id, email),
    CONSTRAINT users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT users_deleted_by_fkey FOREIGN KEY (tenant_id, deleted_by)
        REFERENCES users (tenant_id, id) ON DELETE SET NULL (deleted_by),
    -- Addresses are ASCII, so that case means the same to every collation and no two of them merely look alike.
    CONSTRAINT users_email_format_check CHECK (email ~ '^[!-~]+$' AND email = lower(email COLLATE "C")),
    CONSTRAINT users_email_length_check CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT users_first_name_length_check CHECK (char_length(first_name) BETWEEN 1 AND 100),
    CONSTRAINT users_last_name_length_check CHECK (char_length(last_name) BETWEEN 1 AND 100),
    CONSTRAINT users_phone_format_check CHECK (phone ~ '^\+?[1-9][0-9]{1,14}$'),
    CONSTRAINT users_phone_verified_check CHECK (phone IS NOT NULL OR NOT phone_verified),
    CONSTRAINT users_role_check CHECK (role IN ('customer', 'admin')),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'locked', 'disabled')),
    CONSTRAINT users_kyc_status_check CHECK (kyc_status IN ('pending', 'verified', 'rejected')),
    CONSTRAINT users_kyc_level_check CHECK (kyc_level >= 0),
    CONSTRAINT users_preferences_check CHECK (jsonb_typeof(preferences) = 'object'),
    CONSTRAINT users_version_check CHECK (version > 0),
    CONSTRAINT users_deletion_check CHECK (deleted_at IS NOT NULL OR (deleted_by IS NULL AND deletion_reason IS NULL))
);

-- The purge of deleted accounts walks this; live accounts are not in it.
CREATE INDEX users_deleted_at_idx ON users (deleted_at) WHERE deleted_at IS NOT NULL;

COMMENT ON TABLE users IS 'Accounts. A person with accounts in two tenants has two rows that know nothing of each other.';
COMMENT ON COLUMN users.email IS 'ASCII in lower case: the address as it is compared and mailed to. Unique within the tenant.';
COMMENT ON COLUMN users.password_hash IS 'PHC string of argon2id, or a bcrypt hash of an imported account. Null where the account has no password.';
COMMENT ON COLUMN users.phone IS 'E.164, the leading plus optional.';
COMMENT ON COLUMN users.role IS 'Global role. Roles at a venue are not kept here.';
COMMENT ON COLUMN users.status IS 'active; locked: an operator has suspended it for a while; disabled: an operator has closed it.';
COMMENT ON COLUMN users.kyc_status IS 'Identity check (know your customer), set by an administrator.';
COMMENT ON COLUMN users.version IS 'Counts changes of the profile: its ETag.';
COMMENT ON COLUMN users.deleted_at IS 'Soft deletion: the account is invisible from here on and purged later.';
