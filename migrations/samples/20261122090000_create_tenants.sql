INSERT INTO tenants (id, slug, name, created_at)
VALUES ('01890000-0000-7000-8000-000000000001', 'sample', 'Sample', '2026-01-01T00:00:00Z');
