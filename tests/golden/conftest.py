"""The script that asks databroker 1.2.5 needs 1.2.5: no test is looked for in it."""

collect_ignore = ["record_1_2_5.py"]
