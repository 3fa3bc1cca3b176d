// Package errdefs holds the one error type that crosses rooms.
//
// A domain room says what went wrong (a Kind) and one sentence that a caller
// may read; package api alone turns that into bytes, in the dialect of the
// route. The text of an error that is not an *Error never leaves the process.
// Nothing here knows HTTP beyond the number of a status, and nothing of ours
// may be imported.
package errdefs

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Kind is what went wrong, in the words of the caller.
type Kind uint8

// The kinds, with the status that each has where the contract names no other.
const (
	Internal        Kind = iota // 500: our fault; the cause is logged, never shown
	Invalid                     // 400: the request makes no sense
	Unprocessable               // 422: the body is not JSON, or a field is missing or of the wrong type
	Unauthenticated             // 401: no credential, or one that is not valid (any more)
	Forbidden                   // 403: known, but may not
	NotFound                    // 404
	Conflict                    // 409
	TooLarge                    // 413
	RateLimited                 // 429
	Upstream                    // 502: the provider's fault
	Unavailable                 // 503: switched off, draining, or full
	Timeout                     // 504: the provider was too slow
)

var statuses = [...]int{500, 400, 422, 401, 403, 404, 409, 413, 429, 502, 503, 504}

// Error is a failure that a caller may read.
type Error struct {
	Kind Kind
	// Status overrides the status of the kind where a documented route answers
	// with another one (a wrong role is 401, a wrong password 400).
	Status int
	// Detail is one or two plain sentences: what happened, whose fault it is,
	// what to do. It holds no secret, no path, no foreign error text.
	Detail string
	// Code is a stable word for programs where the kind says too little, such
	// as "upstream_eof"; usually empty. Only OpenAI's dialect has a place for it.
	Code string
	// Fields lists the faults of an Unprocessable request.
	Fields []Field
	// RetryAfter is sent as Retry-After, in whole seconds, when positive.
	RetryAfter time.Duration
	// Verbatim, when set, is the provider's own JSON answer, at most 64 KiB
	// and already free of secrets: it is relayed instead of Detail.
	Verbatim *Verbatim
	// Err is the cause, for the log only.
	Err error
}

// Verbatim is an answer of a provider that is passed on as it is.
type Verbatim struct {
	Body        []byte
	ContentType string
	// RetryAfter is the provider's header of that name, as sent.
	RetryAfter string
}

// Field is one fault of a request body, in the shape of FastAPI's 422 list.
type Field struct {
	Type  string         `json:"type"`          // "missing", "string_type", "json_invalid", …
	Loc   []any          `json:"loc"`           // ["body","email"], or ["body",17] for an offset
	Msg   string         `json:"msg"`           //
	Input any            `json:"input"`         // what was sent; never a secret
	Ctx   map[string]any `json:"ctx,omitempty"` //
}

// New makes an error of a kind with a sentence for the caller.
func New(kind Kind, detail string) *Error { return &Error{Kind: kind, Detail: detail} }

// Newf is New with formatting.
func Newf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// WithStatus returns a copy with another status.
func (e *Error) WithStatus(status int) *Error { c := *e; c.Status = status; return &c }

// WithCause returns a copy that carries err for the log.
func (e *Error) WithCause(err error) *Error { c := *e; c.Err = err; return &c }

// WithRetryAfter returns a copy that asks the caller to wait.
func (e *Error) WithRetryAfter(d time.Duration) *Error { c := *e; c.RetryAfter = d; return &c }

// Error is for logs: the sentence and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Detail + ": " + e.Err.Error()
	}
	return e.Detail
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus is the status to answer with.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	return statuses[e.Kind]
}

// Is reports whether err is, or wraps, an *Error of that kind. It allocates
// nothing.
func Is(err error, kind Kind) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == kind
}

// From gives the *Error in err's chain, or an Internal one that hides err's
// text from the caller and keeps it for the log.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Kind: Internal, Detail: "The server met an error of its own. Try again; if it stays, tell the administrator the request id.", Err: err}
}

// NotJSON is the failure of a body that stops being JSON at a byte offset, for
// the reason that msg gives in a few words.
func NotJSON(offset int, msg string) *Error {
	return &Error{
		Kind:   Unprocessable,
		Detail: fmt.Sprintf("The body is not JSON: %s at byte %d.", msg, offset),
		Fields: []Field{{
			Type: "json_invalid", Loc: []any{"body", offset}, Msg: "JSON decode error",
			Input: struct{}{}, Ctx: map[string]any{"error": msg},
		}},
	}
}

// BrokenBody is the failure of a body that did not arrive whole, because of
// err: 408 when it took too long.
func BrokenBody(err error) *Error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &Error{Kind: Invalid, Status: 408, Detail: "The body took too long to arrive.", Err: err}
	}
	return &Error{Kind: Invalid, Detail: "The body broke off before its end.", Err: err}
}
