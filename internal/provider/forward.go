package provider

import (
	"context"
	"io"
)

// Forwarder is a Provider that also takes calls in its upstream's own shape.
type Forwarder interface {
	Provider
	// Forward passes a call on. An answer outside 2xx is an error. A streamed
	// answer comes untouched: of lines and events, cut where one ends; of
	// anything else that is not JSON, such as sound, as it arrives.
	Forward(ctx context.Context, req *ForwardRequest) (*Reply, error)
}

// Importer is a Provider to whose upstream files of models can be brought, as
// to an Ollama.
type Importer interface {
	// Import makes a model of a file: it is sent as a blob, and made a model of
	// unless model is empty. report, which may be nil, is told how many bytes
	// were sent so far. It gives the blob's digest, "sha256:" and 64 digits.
	Import(ctx context.Context, file io.ReadSeeker, name, model string, report func(sent int64)) (digest string, err error)
}

// ForwardRequest is a call in an upstream's own shape.
type ForwardRequest struct {
	Method, Path string
	// Body is sent as it is, or Upload when that is not nil.
	Body   []byte
	Upload io.Reader
	Length int64 // of Upload in bytes; negative is unknown
	// Params are the parameters of a workspace model, a JSON object or empty.
	// They are laid under what the body says, where the dialect is Ollama's.
	Params []byte
	Caller Caller
}
