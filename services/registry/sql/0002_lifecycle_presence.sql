-- A device's state becomes lifecycle and presence (docs/decisions/0015). The state as it is published stands in one column.
ALTER TABLE device
  ADD COLUMN lifecycle text NOT NULL DEFAULT 'enrolling',
  ADD COLUMN presence text NOT NULL DEFAULT 'starting',
  ADD COLUMN said_labels json NOT NULL DEFAULT '{}',
  ADD COLUMN key text NOT NULL DEFAULT '',
  ADD COLUMN boot_id text NOT NULL DEFAULT '';
UPDATE device SET
  lifecycle = CASE state WHEN 'enrolling' THEN 'enrolling' WHEN 'refused' THEN 'refused' ELSE 'active' END,
  presence = CASE state WHEN 'ready' THEN 'online' WHEN 'suspect' THEN 'suspect' WHEN 'lost' THEN 'lost' ELSE 'starting' END,
  said_labels = labels;
ALTER TABLE device RENAME COLUMN state TO old_state;
ALTER TABLE device ADD COLUMN state json NOT NULL DEFAULT '{}';
UPDATE device SET state = json_build_object(
  'v', 1, 'device', device, 'lifecycle', lifecycle, 'presence', presence, 'reason', reason, 'health', health,
  'capacity', json_build_object('cpu_millis', capacity->'cpu_millis', 'memory_bytes', capacity->'memory_bytes',
                                'storage_bytes', capacity->'disk_bytes'),
  'agent', '', 'labels', labels,
  'configuration', json_build_object('version', 0, 'lifecycle', 'active'), 'configured', 0,
  'session', session, 'fingerprint', fingerprint, 'registered_ms', changed_ms, 'changed_ms', changed_ms);
ALTER TABLE device
  DROP COLUMN old_state, DROP COLUMN reason, DROP COLUMN health, DROP COLUMN capacity, DROP COLUMN labels,
  DROP COLUMN resources, DROP COLUMN link, DROP COLUMN session, DROP COLUMN fingerprint,
  ALTER COLUMN lifecycle DROP DEFAULT, ALTER COLUMN presence DROP DEFAULT, ALTER COLUMN state DROP DEFAULT,
  ALTER COLUMN said_labels DROP DEFAULT, ALTER COLUMN key DROP DEFAULT, ALTER COLUMN boot_id DROP DEFAULT;
