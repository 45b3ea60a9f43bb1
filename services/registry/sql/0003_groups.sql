-- Groups of devices that operators define. The members of a static one stand in the devices' states.
CREATE TABLE device_group (
  name text PRIMARY KEY,
  expression text NOT NULL,  -- empty: static
  changed_ms bigint NOT NULL
);
