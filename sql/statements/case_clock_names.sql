-- What may start a clock by being told, and the clocks. $1: a name.
select exists (select from ampel.recovery_clock where starts_with = $1::text
                  and starts_with not in ('compromised', 'closed') and starts_with not like 'step!_%' escape '!'),
       exists (select from ampel.recovery_clock where clock = $1::text),
       (select string_agg(distinct starts_with, ', ') from ampel.recovery_clock
         where starts_with not in ('compromised', 'closed') and starts_with not like 'step!_%' escape '!'),
       (select string_agg(clock, ', ' order by clock) from ampel.recovery_clock);
