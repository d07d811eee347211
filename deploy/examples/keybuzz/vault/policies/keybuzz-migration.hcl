# For the person who runs migrate.py, for as long as the migration lasts: write, and read back what was written. Nothing is deleted.
path "secret/data/keybuzz/*" {
  capabilities = ["create", "read", "update"]
}
