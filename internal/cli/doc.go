// Package cli is the verbs of the portico command, beside serve: each a
// thin layer over the rooms, each with --json.
package cli
