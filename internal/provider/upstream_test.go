package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
)

const canary = "sk-CANARY/0123456789"

func connection() *Connection {
	return &Connection{Key: canary, BaseURL: "https://llm.example.com:8443/v1", Config: ConnectionConfig{
		Headers: map[string]string{"X-Gateway": "Token canary-in-header"},
	}}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	red := NewRedactor(connection())
	object := `{"error":{"message":"too long","type":"x"}}`
	tests := []struct {
		name   string
		in     Answer
		status int
		body   string // verbatim; "" is a sentence of ours
	}{
		{"400", Answer{Status: 400, Body: []byte(object)}, 400, object},
		{"404 html", Answer{Status: 404, Body: []byte("<html>")}, 404, ""},
		{"500", Answer{Status: 500, Body: []byte(object)}, 500, object},
		{"500 nothing", Answer{Status: 500}, 500, ""},
		{"503", Answer{Status: 503, Body: []byte(object)}, 503, object},
		{"too large", Answer{Status: 500, Body: []byte(`{"a":"` + strings.Repeat("x", MaxError) + `"}`)}, 500, ""},
		{"401", Answer{Status: 401, Body: []byte(object)}, 502, ""},
		{"403", Answer{Status: 403, Body: []byte(object)}, 502, ""},
		{"407", Answer{Status: 407}, 502, ""},
		{"204", Answer{Status: 204}, 502, ""},
		{"302", Answer{Status: 302, Body: []byte(object)}, 502, ""},
		{"999", Answer{Status: 999, Body: []byte(object)}, 502, ""},
	}
	for _, tt := range tests {
		e := Refused(tt.in, red)
		if e.HTTPStatus() != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, e.HTTPStatus(), tt.status)
		}
		body := ""
		if e.Verbatim != nil {
			body = string(e.Verbatim.Body)
		}
		if body != tt.body {
			t.Errorf("%s: body %q, want %q", tt.name, body, tt.body)
		}
		if e.Detail == "" {
			t.Errorf("%s: no sentence", tt.name)
		}
	}
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	r := NewRedactor(connection())
	secret := []string{canary, "LLM.example.com:8443", "https://llm.example.com:8443/v1/chat", "canary-in-header", "Token canary-in-header"}
	for _, s := range secret {
		if got := r.Text("a " + s + " b"); strings.Contains(strings.ToLower(got), "canary") || strings.Contains(strings.ToLower(got), "example") {
			t.Errorf("%q is left as %q", s, got)
		}
	}
	for _, in := range []string{
		`{"error":{"message":"bad key ` + canary + ` for https:\/\/llm.example.com:8443\/v1"}}`,
		`{"error":{"message":"bad key sk-\u0043ANARY\/0123456789"}}`,
		`{"` + canary + `":["` + canary + `",{"a":"` + canary + `"}],"n":1.50}`,
	} {
		out, ok := r.JSON([]byte(in))
		if !ok || strings.Contains(string(out), "ANARY") || strings.Contains(string(out), "example") {
			t.Errorf("%s became %s", in, out)
		}
	}
	same := ` {"n": 1.50, "s":"\u00e9"} `
	if out, _ := r.JSON([]byte(same)); string(out) != same {
		t.Errorf("nothing to remove, yet %s became %s", same, out)
	}
	for _, in := range []string{"", "[]", "null", "<html>", `{"a":`} {
		if _, ok := r.JSON([]byte(in)); ok {
			t.Errorf("%q is no object", in)
		}
	}
	if got := NewRedactor(&Connection{}).Text("as it is"); got != "as it is" {
		t.Error(got)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	tests := []struct {
		in, out string
		wait    time.Duration
	}{
		{"7", "7", 7 * time.Second},
		{" 0.3 ", "1", time.Second},
		{soon, soon, -1},
		{"99999999999999999999", "3600", time.Hour},
		{time.Now().AddDate(5, 0, 0).UTC().Format(http.TimeFormat), "3600", time.Hour},
		{time.Now().AddDate(-5, 0, 0).UTC().Format(http.TimeFormat), "", 0},
		{"-5", "", 0}, {"0", "", 0}, {"NaN", "", 0}, {"soon", "", 0}, {"", "", 0}, {"5\r\nX-Evil: 1", "", 0},
	}
	for _, tt := range tests {
		wait, out := retryAfter(tt.in)
		if out != tt.out || tt.wait >= 0 && wait != tt.wait {
			t.Errorf("%q: %v %q, want %v %q", tt.in, wait, out, tt.wait, tt.out)
		}
	}
	e := Refused(Answer{Status: 429, RetryAfter: "7", Body: []byte(`{"error":"slow down"}`)}, &Redactor{})
	if e.Verbatim.RetryAfter != "7" || e.RetryAfter != 7*time.Second || e.HTTPStatus() != 429 {
		t.Errorf("%+v", e)
	}
}

func TestCallFailed(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial tcp 10.1.2.3:8443: refused")
	tests := []struct {
		err    error
		status int
	}{
		{&hop.Error{Phase: hop.Dialing, Err: cause}, 500},
		{&hop.Error{Phase: hop.Dialing, Timeout: true, Err: cause}, 504},
		{&hop.Error{Phase: hop.Dialing, Err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "10.1.example.com", IsNotFound: true}}}, 502},
		{&hop.Error{Phase: hop.Dialing, Timeout: true, Err: &net.DNSError{Err: "i/o timeout", Name: "10.1.example.com", IsTimeout: true}}, 502},
		{&hop.Error{Phase: hop.Dialing, Err: fmt.Errorf("TLS: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})}, 502},
		{&hop.Error{Phase: hop.Dialing, Err: fmt.Errorf("TLS: %w", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"})}, 502},
		{&hop.Error{Phase: hop.Dialing, Err: fmt.Errorf("TLS: %w", tls.AlertError(40))}, 502},
		{&hop.Error{Phase: hop.Sent, Err: cause}, 502},
		{&hop.Error{Phase: hop.Sent, Timeout: true, Err: cause}, 504},
		{&hop.Error{Phase: hop.Head, Err: cause}, 502},
		{&hop.Error{Phase: hop.Body, Err: cause}, 502},
		{&hop.Error{Phase: hop.Body, Timeout: true, Err: cause}, 504},
		{&hop.Error{Phase: hop.Body, Err: context.Canceled}, StatusClientGone},
		{cause, 502},
		{errdefs.New(errdefs.NotFound, "x"), 404},
	}
	for _, tt := range tests {
		e := CallFailed(tt.err)
		if e.HTTPStatus() != tt.status {
			t.Errorf("%v: %s", tt.err, strconv.Itoa(e.HTTPStatus()))
		}
		if strings.Contains(e.Detail, "10.1") {
			t.Errorf("the caller is told an address: %s", e.Detail)
		}
	}
}
