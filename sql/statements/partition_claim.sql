update ampel.partition set epoch = epoch + 1 where partition = $1::bigint returning epoch, position;
