// Package vector is an exact-grade index of vectors. It is derived from rows of
// the database, like lexical, and like it is told which sets may be searched.
//
// A search goes over the ranges of its scope in three steps, each looking
// closer at fewer:
//
//	binary codes, popcount   every vector of a large scope   1 bit a dimension, mapped
//	int8, integer products   the nearest few thousand        8 bits, mapped
//	float16, exact           the best few dozen              16 bits, read
//
// A small scope begins at the second step. What is found does not depend on
// the order in which sets came or on how files are laid out.
//
// Vectors are in segments: files that never change, each with the sets of one
// space in the order of their ids, so that a scope is a few ranges. New ones
// gather in memory, are written when there are enough, and segments of about
// one size are merged into a larger one. A manifest, replaced whole, says which
// files count and up to which sequence they hold everything.
package vector
