// Package store is all the SQL: one hand-written, portable statement per
// operation for SQLite and PostgreSQL, one file per resource. It implements
// the Store interfaces that the domain rooms declare, and emits their events
// in the same transaction as the write.
package store
