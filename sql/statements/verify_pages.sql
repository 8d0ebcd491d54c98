-- $1 partition.
select page::bigint, position, bytes from ampel.page where partition = $1::bigint order by page;
