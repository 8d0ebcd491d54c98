-- The next partition begins with empty tables; truncate would be no reading.
delete from pg_temp.staging_rating;
delete from pg_temp.staging_violation;
delete from pg_temp.staging_beside
