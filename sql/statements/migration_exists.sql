select to_regclass('ampel.migration') is not null;
