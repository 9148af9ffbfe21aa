-- Tenants are separate populations of users in one database. Nothing but the
-- operator's own tables (keys, jobs) exists outside a tenant.

CREATE TABLE tenants (
    id         uuid        NOT NULL,
    slug       text        NOT NULL,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL,

    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_slug_key UNIQUE (slug),
    -- A DNS label, because a slug may become part of a host name.
    CONSTRAINT tenants_slug_format_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT tenants_name_length_check CHECK (char_length(name) BETWEEN 1 AND 200)
);

COMMENT ON TABLE tenants IS 'Separate populations of users. Every tenant-owned row carries tenant_id and points only within its tenant.';
COMMENT ON COLUMN tenants.slug IS 'What a client sends in X-Tenant: a lower-case DNS label.';

-- The tenant of requests that name none. Installations with a single population never see another.
INSERT INTO tenants (id, slug, name, created_at)
VALUES ('00000000-0000-0000-0000-000000000001', 'default', 'Default', now());
