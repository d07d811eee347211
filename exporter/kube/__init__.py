"""Everything that talks to the Kubernetes API server: where it is and who we are (`access`, `transport`, `client`), what is
watched (`resource`, `resources`), how it is read (`decode`, `listing`, `stream`) and how it is kept true (`reflector`,
`watcher`). Records leave this folder compact and without a value, a message or an annotation in them."""
