-- The case of an account, one that is not closed before one that is, the newest first. $1 tenant, $2 seller, $3 marketplace.
select c.tenant, c.id, c.state, c.compromised_from, c.opened_at, c.contained_at, c.closed_at
  from ampel.case_account_row as a join ampel.case_row as c using (tenant, id)
 where a.tenant = $1::text and a.seller = $2::text and a.marketplace = $3::text
 order by c.state = 'closed', c.opened_at desc, c.id limit 1;
