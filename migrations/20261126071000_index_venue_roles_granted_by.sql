-- Who has granted which roles: asked when a person wants to see all that is stored about them, and by the foreign key when
-- their account is purged. The table is a day old, so that nobody waits for the index.

CREATE INDEX venue_roles_tenant_id_granted_by_idx ON venue_roles (tenant_id, granted_by) WHERE granted_by IS NOT NULL;
