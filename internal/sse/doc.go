// Package sse is the framing of Server-Sent Events, as bytes: which lines
// are legal, where an event ends, whether the stream said that it was done.
// It decodes no JSON.
package sse
