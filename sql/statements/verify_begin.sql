-- One snapshot for all that is compared; nothing is written.
begin isolation level repeatable read read only;
