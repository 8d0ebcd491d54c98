-- Room for checkpoints that write every account. A row of an account is written again and again, and nothing that changes is
-- indexed: where its block has room for the new version the index is left alone and the old one is pruned on the way (HOT).
-- At a fill of 70 % a block holds no second version of most of its rows, at 45 % it does of all. The tables are larger from
-- the start and stay as they are.
--
-- Locks: share update exclusive on two tables, for a moment; blocks that are full already empty themselves by and by, as rows
-- move. Rows: none.

alter table ampel.rating_row set (fillfactor = 45);
alter table ampel.outlook_row set (fillfactor = 45);
