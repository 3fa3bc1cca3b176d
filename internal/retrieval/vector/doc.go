// Package vector is an exact-grade index of vectors: binary codes scanned with
// popcount, the best rescored. It is derived from rows of the database, like
// lexical, and like it is told which sets may be searched.
package vector
