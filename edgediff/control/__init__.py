"""The SDN controller of Section 3.1: a scheduler decides flows online. `python -m edgediff.control RUN|RULE`."""
