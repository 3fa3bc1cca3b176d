// Package lexical is an inverted index with BM25 ranking over chunks. It is
// derived from rows of the database: its files may be lost or thrown away, and
// are then made anew. The same rows give the same ranking, whatever the order
// they came in and however the files are laid out. It knows no users: whoever
// asks names the sets that may be searched.
package lexical
