"""From the CSV files of grids to tables and figures."""
