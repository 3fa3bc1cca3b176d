// Package rawjson looks at JSON as bytes: it checks a body once, finds its
// top-level members without copying, and writes the body back with members
// left out or put in, so that what nobody changed is forwarded byte for byte.
// It knows no schema and allocates nothing on the hot path.
package rawjson

// Limits bound what a body may be.
type Limits struct {
	Depth int // nesting; 0 is 64
	Keys  int // object members in the whole body; 0 is 100,000
}

// Doc is a checked JSON object and where its top-level members lie. A Doc may
// be reused: Parse forgets what was before.
type Doc struct {
	Raw     []byte
	Members []Member
}

// Member is one top-level member. Key is unescaped; Value is raw, as sent.
type Member struct {
	Key   []byte
	Value []byte
	// Start and End bound the member in Raw, from the key's quote to the end of the value.
	Start, End int
}
