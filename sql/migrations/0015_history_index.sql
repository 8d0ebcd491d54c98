-- The history of an account is found by its partition and seller (ADR 660). An index that begins with names met another leaf with
-- each row of a checkpoint, all over itself: it cost more than the row and the index by number together. A checkpoint
-- writes the rows of one partition, so that in an index that begins with the partition they fall into a sixty-fourth of it, and
-- an entry is a third shorter. A seller's marketplaces lie in partitions of their own, so that nearly all that is found is
-- the account's; what is not is passed over.
--
-- Whoever asks by names need not know the partition: the view asks each of them in turn (64 looks of a microsecond or two).
--
-- Locks: share on ampel.history_row and each of its months while their indexes are built (some two seconds for a million rows);
-- readers go on, checkpoints wait. Rows: none is written.

drop index ampel.history_row_account;
create index history_row_partition on ampel.history_row (partition, seller, at);

create or replace view ampel.rating_history with (security_invoker = true) as
    select tenant, number, epoch, replace(id::text, '-', '') as id, at, seller, marketplace, score, status, risk,
           orders, order_points, deducted, score_before, status_before, risk_before, cause, cause_id, rules_version
      from ampel.history_row
     where partition = any (array(select p.partition from ampel.partition as p));
