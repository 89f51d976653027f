"""What a campaign's record says: figures of merit, tables and plots. Pure: records in, values and pictures out."""
