"""Settings: one typed definition, read from flags over environment over file over defaults."""
