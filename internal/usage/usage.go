// Package usage counts what answers cost: requests and tokens per person, key
// and model, in memory and without a lock on the path of a chat. Keeping the
// counts is another room's work.
package usage
