-- How many accounts of each colour, and how many with a reached cap. $1 tenant or '' for all.
select count(*), count(*) filter (where status = 'green'), count(*) filter (where status = 'yellow'),
       count(*) filter (where status = 'red'), count(*) filter (where risk = 'immediate')
  from ampel.rating_row where $1::text = '' or tenant = $1::text;
