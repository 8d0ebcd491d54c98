delete from ampel.violation_row as v using pg_temp.staging_gone as g
 where v.tenant = g.tenant and v.seller = g.seller and v.marketplace = g.marketplace and v.id = g.id;
