package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
)

// MaxError is the largest body of a failed answer that is read and passed on.
const MaxError = 64 << 10

// maxRetryAfter is the longest wait that a caller is asked for, whatever the
// upstream says.
const maxRetryAfter = time.Hour

// StatusClientGone is what a call ends with whose caller left; nobody reads it.
const StatusClientGone = 499

// Answer is what an upstream said that is not a plain 2xx with a body.
type Answer struct {
	Status      int
	ContentType string
	RetryAfter  string
	Body        []byte // nil when there was none, or more than MaxError
}

// CallFailed says to the caller what became of a call that has no whole
// answer. Errors of package hop are in the chain, so that MayRetry still
// works; an *errdefs.Error passes as it is.
func CallFailed(err error) *errdefs.Error {
	if e, ok := errors.AsType[*errdefs.Error](err); ok {
		return e
	}
	if isCanceled(err) {
		return errdefs.New(errdefs.Invalid, "The request was given up before its answer was there.").WithStatus(StatusClientGone).WithCause(err)
	}
	h, ok := errors.AsType[*hop.Error](err)
	if !ok {
		return errdefs.New(errdefs.Upstream, "The model provider could not be asked. Try again; if it stays, tell the administrator the request id.").WithCause(err)
	}
	return callFailed(h).WithCause(err)
}

// callFailed has a status for each way in which a call can fail. The contract
// has 500 for an upstream that cannot be reached, which is one that refuses the
// connection or is not on the network; a name that nobody knows and a peer that
// is not who it should be are faults of what was configured or of the way
// there, and 502, however long it took to find out.
func callFailed(h *hop.Error) *errdefs.Error {
	switch {
	case h.Phase == hop.Dialing && isNameFault(h):
		return errdefs.New(errdefs.Upstream, "The model provider's name could not be looked up. Try again later, or ask the administrator to check the connection's address.")
	case h.Phase == hop.Dialing && isTLSFault(h):
		return errdefs.New(errdefs.Upstream, "The model provider could not show that it is the one that was configured: its certificate, or its TLS, is not valid. The administrator has to look at the connection.")
	case h.Timeout && h.Phase == hop.Dialing:
		return errdefs.New(errdefs.Timeout, "The model provider did not accept a connection in time. Try again later, or ask the administrator to check that it runs.")
	case h.Timeout && h.Phase == hop.Body:
		return errdefs.New(errdefs.Timeout, "The model provider stopped sending in the middle of its answer. Try again.")
	case h.Timeout:
		return errdefs.New(errdefs.Timeout, "The model provider did not answer in time. Try again, or ask for less.")
	case h.Phase == hop.Dialing:
		return errdefs.New(errdefs.Upstream, "The model provider could not be reached. Try again later, or ask the administrator to check the connection.").WithStatus(http.StatusInternalServerError)
	case h.Phase == hop.Sent:
		return errdefs.New(errdefs.Upstream, "The model provider closed the connection without an answer. Try again.")
	case h.Phase == hop.Body:
		return errdefs.New(errdefs.Upstream, "The model provider's answer broke off. Try again.")
	}
	return errdefs.New(errdefs.Upstream, "The model provider sent an answer that is not HTTP as it should be. The administrator may want to check the connection's address.")
}

func isNameFault(err error) bool {
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}

// isTLSFault reports whether a handshake came to nothing because of what the
// peer said, not because the connection broke.
func isTLSFault(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	_, ok := errors.AsType[tls.AlertError](err)
	return ok
}

func isCanceled(err error) bool { return errors.Is(err, context.Canceled) }

// Refused says to the caller what an upstream refused: its own status and JSON
// where a caller can do something with them, else a sentence of ours. What is
// secret about the connection is taken out.
func Refused(a Answer, r *Redactor) *errdefs.Error {
	switch {
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden, a.Status == http.StatusProxyAuthRequired:
		// A caller must not think that the key they sent us is bad.
		return errdefs.New(errdefs.Upstream, "The model provider refused this server's own credential. The administrator has to check the key of the connection.").WithCause(statusError(a.Status))
	case a.Status < 400 || a.Status > 599:
		return errdefs.Newf(errdefs.Upstream, "The model provider sent no usable answer (status %d). The administrator may want to check the connection's address.", a.Status).WithCause(statusError(a.Status))
	}
	wait, header := retryAfter(a.RetryAfter)
	e := &errdefs.Error{
		Kind:       errdefs.Upstream,
		Status:     a.Status,
		Detail:     sentence(a.Status),
		RetryAfter: wait,
		Err:        statusError(a.Status),
	}
	if body, ok := r.JSON(a.Body); ok {
		e.Verbatim = &errdefs.Verbatim{Body: body, ContentType: "application/json", RetryAfter: header}
	}
	return e
}

func sentence(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "The model provider has had too many requests. Wait, then try again."
	case status == http.StatusNotFound:
		return "The model provider does not know this model or this address. The administrator may want to check the connection."
	case status == http.StatusRequestEntityTooLarge:
		return "The request is too large for the model provider."
	case status < 500:
		return "The model provider did not accept the request (status " + strconv.Itoa(status) + ")."
	}
	return "The model provider failed (status " + strconv.Itoa(status) + "). Try again; the fault is not in the request."
}

type statusError int

func (s statusError) Error() string { return "upstream status " + strconv.Itoa(int(s)) }

// retryAfter reads the header of that name, in seconds or as a date, and
// writes it anew: what is absurd is clamped, what is no time is dropped.
func retryAfter(header string) (time.Duration, string) {
	header = strings.TrimSpace(header)
	var wait time.Duration
	if secs, err := strconv.ParseFloat(header, 64); err == nil {
		if math.IsNaN(secs) || secs <= 0 {
			return 0, ""
		}
		wait = time.Duration(min(math.Ceil(secs), maxRetryAfter.Seconds())) * time.Second
		return wait, strconv.Itoa(int(wait.Seconds()))
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0, ""
	}
	wait = time.Until(at).Round(time.Second)
	if wait <= 0 {
		return 0, ""
	}
	if wait > maxRetryAfter {
		return maxRetryAfter, strconv.Itoa(int(maxRetryAfter.Seconds()))
	}
	return wait, header
}

// ReadAnswer takes a refusal off the wire: at most MaxError of its body.
func ReadAnswer(resp *hop.Response) Answer {
	a := Answer{Status: resp.Status, ContentType: resp.ContentType, RetryAfter: resp.Header("Retry-After")}
	body, err := resp.ReadAll(make([]byte, 0, 1024), MaxError)
	if err == nil {
		a.Body = body
	}
	return a
}
