// Package store is all the SQL: one hand-written, portable statement per
// operation for SQLite and PostgreSQL, one file per resource. It implements
// the Store interfaces that the domain rooms declare, and emits their events
// in the same transaction as the write.
//
// Statements are constants of type query, with $n placeholders, RETURNING and
// ON CONFLICT; what the engines do not share is in a dialect value. Each public
// method maps its failure to an errdefs kind by deferring fault.
package store
