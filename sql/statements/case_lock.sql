-- One at a time: steps, phases and numbers of a case are given under this lock. $1 tenant, $2 id.
select state from ampel.case_row where tenant = $1::text and id = $2::text for update;
