-- Refused events as people read them: an event that its shard refused, not the gateway, has no index in its batch that
-- the shard still knows; the worker writes 4294967295 there, and the view now shows nothing.
--
-- Locks: the view alone, for a moment. Rows: none.

create or replace view ampel.refusal with (security_invoker = true) as
    select tenant, number, stamp, seller, marketplace, producer, sequence, nullif(event_index, 4294967295) as event_index,
           verdict, type, field, id, at
      from ampel.refusal_row;
comment on view ampel.refusal is
    'refused events: by the gateway (the first hundred of a batch, with their index) or by their shard (all, without one)';
