-- Which device a sign-in is on. The column is empty in every row, so that the key is checked in no time; sessions of before, and of
-- the previous release, are on none that is known.

ALTER TABLE sessions
    ADD COLUMN device_id uuid,
    ADD CONSTRAINT sessions_device_id_fkey FOREIGN KEY (tenant_id, user_id, device_id)
        REFERENCES devices (tenant_id, user_id, id) ON DELETE SET NULL (device_id);

COMMENT ON COLUMN sessions.device_id IS 'The device of the same account that it was opened on. Null: not known, or forgotten.';
COMMENT ON COLUMN sessions.device_name IS 'What the device was when the session was opened, in words: devices.kind.';
