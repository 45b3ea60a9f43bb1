-- What a job requires is called storage_bytes, as everywhere.
UPDATE job SET spec = jsonb_set(spec::jsonb #- '{requirements,disk_bytes}', '{requirements,storage_bytes}',
                                spec::jsonb #> '{requirements,disk_bytes}')::json
  WHERE spec::jsonb #> '{requirements,disk_bytes}' IS NOT NULL;
