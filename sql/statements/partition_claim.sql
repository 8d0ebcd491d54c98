update ampel.partition as p set epoch = epoch + 1 where partition = $1::bigint
returning epoch, position, coalesce(rules_number, 0), (select text from ampel.rules as r where r.number = p.rules_number);
