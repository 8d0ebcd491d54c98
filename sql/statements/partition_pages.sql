select page::bigint, bytes from ampel.page where partition = $1::bigint order by page;
