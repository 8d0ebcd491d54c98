-- The newest rules, if they are newer than number $1.
select number, text from ampel.rules where number > $1::bigint order by number desc limit 1;
