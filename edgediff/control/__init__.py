"""The SDN controller of Section 3.1: a trained agent decides flows online. `python -m edgediff.control RUN`."""
