-- $1 tenant, $2 id.
select seller, marketplace from ampel.case_account_row
 where tenant = $1::text and id = $2::text order by seller, marketplace;
