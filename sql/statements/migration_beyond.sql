-- $1: the first migration with a greater number.
select name from ampel.migration where number > $1::bigint order by number limit 1;
