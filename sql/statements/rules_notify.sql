-- Carries no data: whoever listens reads the tables.
notify ampel_rules;
