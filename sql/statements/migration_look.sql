-- $1 number, $2 text: the name under that number, and whether the text is the one that was applied.
select name, checksum = encode(sha256(convert_to($2::text, 'UTF8')), 'hex') from ampel.migration where number = $1::bigint;
