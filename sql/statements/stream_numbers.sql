select tenant, stream, next from ampel.stream_number order by tenant, stream;
