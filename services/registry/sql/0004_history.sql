-- What is kept of heartbeats (docs/decisions/0018): of each period the mean of each measure and the worst of its heartbeats.
CREATE TABLE history_raw (
  device text NOT NULL,
  from_ms bigint NOT NULL,
  beats bigint NOT NULL,
  health real, cpu real, memory real, storage real, network real, temperature real, round_trip real, loss real,
  PRIMARY KEY (device, from_ms)
);
CREATE TABLE history_minute (
  LIKE history_raw INCLUDING ALL,
  health_worst real, cpu_worst real, memory_worst real, storage_worst real, network_worst real, temperature_worst real,
  round_trip_worst real, loss_worst real
);
CREATE TABLE history_hour (LIKE history_minute INCLUDING ALL);
-- For the retention, which goes by age.
CREATE INDEX ON history_raw (from_ms);
CREATE INDEX ON history_minute (from_ms);
CREATE INDEX ON history_hour (from_ms);
-- Recent signs of health, and the open periods.
ALTER TABLE device ADD COLUMN kept json NOT NULL DEFAULT '{}';
ALTER TABLE device ALTER COLUMN kept DROP DEFAULT;
