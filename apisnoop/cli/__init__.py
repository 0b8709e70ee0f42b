"""The command line: one module a verb, each a thin shell over the packages below; modules load when their verb is used."""
