-- NAME@VERSION means one content for each architecture ('': one for all). `about` is what the release says of the package.
ALTER TABLE name ADD COLUMN architecture text NOT NULL DEFAULT '';
ALTER TABLE name ADD COLUMN about text NOT NULL DEFAULT '{}';
ALTER TABLE name DROP CONSTRAINT name_pkey;
ALTER TABLE name ADD PRIMARY KEY (name, version, architecture);
ALTER TABLE receiving ADD COLUMN about text NOT NULL DEFAULT '{}';
