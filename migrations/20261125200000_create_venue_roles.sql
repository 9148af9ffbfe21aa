-- Who holds which role at a venue. Venues themselves are rows of the applications, and known here by their id only.

CREATE TABLE venue_roles (
    id         uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    venue_id   uuid        NOT NULL,
    role       text        NOT NULL,
    granter    text        NOT NULL,
    granted_by uuid,
    granted_at timestamptz NOT NULL,
    expires_at timestamptz,

    CONSTRAINT venue_roles_pkey PRIMARY KEY (id),
    -- In the order in which a sign-in looks for all that one account holds.
    CONSTRAINT venue_roles_tenant_id_user_id_venue_id_role_key UNIQUE (tenant_id, user_id, venue_id, role),
    CONSTRAINT venue_roles_user_id_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    -- What somebody has granted stays when their account is purged.
    CONSTRAINT venue_roles_granted_by_fkey FOREIGN KEY (tenant_id, granted_by)
        REFERENCES users (tenant_id, id) ON DELETE SET NULL (granted_by),
    CONSTRAINT venue_roles_role_check CHECK (role IN ('venue-owner', 'venue-manager', 'box-office', 'door-staff')),
    CONSTRAINT venue_roles_granter_check CHECK (granter IN ('account', 'operator')),
    CONSTRAINT venue_roles_granted_by_check CHECK (granted_by IS NULL OR granter = 'account'),
    CONSTRAINT venue_roles_expires_at_check CHECK (expires_at > granted_at)
);

CREATE INDEX venue_roles_tenant_id_venue_id_idx ON venue_roles (tenant_id, venue_id);
-- The purge walks this; grants that never expire are not in it.
CREATE INDEX venue_roles_expires_at_idx ON venue_roles (expires_at) WHERE expires_at IS NOT NULL;

COMMENT ON TABLE venue_roles IS 'Roles at venues, each granted by somebody and perhaps for a time. What a role permits is in the code.';
COMMENT ON COLUMN venue_roles.venue_id IS 'The id of the venue in the applications of the tenant.';
COMMENT ON COLUMN venue_roles.granter IS 'account: somebody who was signed in; operator: the command line.';
COMMENT ON COLUMN venue_roles.granted_by IS 'The account that granted it. Null: the operator, or the account is gone.';
COMMENT ON COLUMN venue_roles.expires_at IS 'It gives nothing from this moment on, whether or not the row is still there. Null: it does not end.';
