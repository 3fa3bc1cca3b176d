package route_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portico/internal/api/route"
	"portico/internal/errdefs"
)

type form struct {
	Email string          `json:"email" require:"true"`
	Name  string          `json:"name"`
	On    bool            `json:"on"`
	Count int             `json:"count"`
	Ratio float64         `json:"ratio"`
	Maybe *bool           `json:"maybe"`
	Tags  []string        `json:"tags"`
	Meta  map[string]any  `json:"meta"`
	Raw   json.RawMessage `json:"raw"`
	Inner struct {
		Deep int `json:"deep"`
	} `json:"inner"`
	Hidden string `json:"-"`
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	yes := true
	for _, tc := range []struct {
		name, body string
		want       form
		faults     string // type@loc, …
		detail     string // for errors without a list
	}{
		{name: "plain", body: `{"email":"a@b","count":3,"on":true,"extra":{"x":1}}`, want: form{Email: "a@b", Count: 3, On: true}},
		{name: "as pydantic", body: `{"email":"a","count":"7","on":"yes","ratio":"1.5","maybe":1}`, want: form{Email: "a", Count: 7, On: true, Ratio: 1.5, Maybe: &yes}},
		{name: "whole float", body: `{"email":"a","count":2.0}`, want: form{Email: "a", Count: 2}},
		{name: "null optional", body: `{"email":"a","name":null,"count":null,"tags":null}`, want: form{Email: "a"}},
		{name: "not ASCII", body: `{"email":"é\u00e9"}`, want: form{Email: "éé"}},
		{name: "last wins", body: `{"email":"a","email":"b"}`, want: form{Email: "b"}},
		{name: "other case is another key", body: `{"EMAIL":"a"}`, faults: "missing@body.email"},
		{name: "missing", body: `{"name":"x"}`, faults: "missing@body.email"},
		{name: "null required", body: `{"email":null}`, faults: "string_type@body.email"},
		{name: "wrong types", body: `{"email":1,"on":"perhaps","count":"x","tags":"a","meta":[],"inner":{"deep":"x"}}`,
			faults: "string_type@body.email bool_type@body.on int_type@body.count list_type@body.tags dict_type@body.meta int_type@body.inner.deep"},
		{name: "half a number", body: `{"email":"a","count":1.5}`, faults: "int_type@body.count"},
		{name: "huge number", body: `{"email":"a","count":1e400}`, faults: "int_type@body.count"},
		{name: "empty", body: ``, faults: "missing@body"},
		{name: "broken", body: `{not json`, faults: "json_invalid@body.1"},
		{name: "cut", body: `{"email":"a"`, faults: "json_invalid@body.12"},
		{name: "two values", body: `{} {}`, faults: "json_invalid@body.3"},
		{name: "not UTF-8", body: "{\"email\":\"\xff\"}", faults: "json_invalid@body.10"},
		{name: "list", body: `[]`, faults: "model_attributes_type@body"},
		{name: "text", body: `"x"`, faults: "model_attributes_type@body"},
		{name: "null", body: `null`, faults: "model_attributes_type@body"},
		{name: "depth 64", body: `{"email":"a","raw":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`,
			want: form{Email: "a", Raw: json.RawMessage(strings.Repeat("[", 63) + strings.Repeat("]", 63))}},
		{name: "depth 65", body: `{"email":"a","raw":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, detail: "64 levels"},
		{name: "keys 100,001", body: `{"email":"a"` + strings.Repeat(`,"k":1`, 100_000) + `}`, detail: "100000 keys"},
		{name: "keys 100,000", body: `{"email":"a"` + strings.Repeat(`,"k":1`, 99_999) + `}`, want: form{Email: "a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got form
			err := route.Unmarshal([]byte(tc.body), &got)
			if tc.faults == "" && tc.detail == "" {
				if err != nil {
					t.Fatal(err)
				}
				a, _ := json.Marshal(got)
				b, _ := json.Marshal(tc.want)
				if string(a) != string(b) {
					t.Errorf("got %s, want %s", a, b)
				}
				return
			}
			var e *errdefs.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if got := places(e); got != tc.faults || !strings.Contains(e.Detail, tc.detail) {
				t.Errorf("faults %q (%s), want %q, %q", got, e.Detail, tc.faults, tc.detail)
			}
			if status := e.HTTPStatus(); tc.faults != "" && status != 422 || tc.detail != "" && status != 400 {
				t.Errorf("status %d", status)
			}
		})
	}
}

func places(e *errdefs.Error) string {
	var words []string
	for _, f := range e.Fields {
		loc, _ := json.Marshal(f.Loc)
		words = append(words, f.Type+"@"+strings.NewReplacer(`[`, "", `]`, "", `"`, "", ",", ".").Replace(string(loc)))
	}
	return strings.Join(words, " ")
}

func TestUnmarshalList(t *testing.T) {
	t.Parallel()
	var list []struct {
		ID string `json:"file_id"`
	}
	if err := route.Unmarshal([]byte(`[{"file_id":"x"}]`), &list); err != nil || list[0].ID != "x" {
		t.Errorf("%v %v", list, err)
	}
	if err := route.Unmarshal([]byte(`{}`), &list); !errdefs.Is(err, errdefs.Unprocessable) {
		t.Errorf("an object for a list: %v", err)
	}
	var object map[string]any
	if err := route.Unmarshal([]byte(`{"a":1}`), &object); err != nil || object["a"] != 1.0 {
		t.Errorf("%v %v", object, err)
	}
	for name, target := range map[string]any{"an object": &object, "a list": &list} {
		if err := route.Unmarshal([]byte(" null\n"), target); !errdefs.Is(err, errdefs.Unprocessable) {
			t.Errorf("null for %s: %v", name, err)
		}
	}
}

// A fault must not echo what was sent: it may be a password.
func TestFaultsHoldNoValues(t *testing.T) {
	t.Parallel()
	var f struct {
		Email    string `json:"email" require:"true"`
		Password int    `json:"password"`
	}
	err := route.Unmarshal([]byte(`{"password":"canary-1"}`), &f)
	text, _ := json.Marshal(errdefs.From(err))
	if strings.Contains(string(text), "canary") || !strings.Contains(string(text), `"password":"…"`) {
		t.Errorf("%s", text)
	}
}

func TestJSONHandler(t *testing.T) {
	t.Parallel()
	h := route.JSON(func(_ context.Context, _ *route.Call, in form) (map[string]string, error) {
		return map[string]string{"email": in.Email}, nil
	})
	call := func(c *route.Call, contentType string) (*httptest.ResponseRecorder, error) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/", strings.NewReader(`{"email":"<é&>"}`))
		r.Header.Set("Content-Type", contentType)
		return w, h(w, r, c)
	}
	w, err := call(&route.Call{}, "application/x-www-form-urlencoded")
	if err != nil || w.Body.String() != `{"email":"<é&>"}` || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%v %s", err, w.Body)
	}
	if _, err := call(&route.Call{Ambient: true}, "text/plain"); errdefs.From(err).HTTPStatus() != http.StatusUnsupportedMediaType {
		t.Errorf("a form with a cookie: %v", err)
	}
	if _, err := call(&route.Call{Ambient: true}, "application/json; charset=utf-8"); err != nil {
		t.Errorf("JSON with a cookie: %v", err)
	}
}

func TestBrokenOffBody(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"email"`))
	r.ContentLength = 100
	var f form
	if err := route.Decode(nil, r, &route.Call{}, &f); !errdefs.Is(err, errdefs.Invalid) {
		t.Error(err)
	}
	r = httptest.NewRequest("POST", "/", strings.NewReader(`{"email":"0123456789"}`))
	r.ContentLength = -1
	r.Body = http.MaxBytesReader(nil, r.Body, 10)
	if err := route.Decode(nil, r, &route.Call{}, &f); !errdefs.Is(err, errdefs.TooLarge) {
		t.Error(err)
	}
}

func TestArgs(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/x?page=2&refresh=true&q=a%20b&empty=", nil)
	r.SetPathValue("idx", "7")
	a := route.ArgsOf(r)
	if a.Int("page", 1) != 2 || a.Int("none", 5) != 5 || a.Int("empty", 4) != 4 || !a.Bool("refresh", false) ||
		a.String("q", "") != "a b" || a.String("none", "x") != "x" || a.Required("q") != "a b" || a.PathInt("idx") != 7 || a.Err() != nil {
		t.Errorf("wrong values; %v", a.Err())
	}
	r = httptest.NewRequest("GET", "/x?page=two&refresh=perhaps", nil)
	r.SetPathValue("idx", "x")
	a = route.ArgsOf(r)
	a.Int("page", 1)
	a.Bool("refresh", false)
	a.Required("id")
	a.PathInt("idx")
	if got, want := places(errdefs.From(a.Err())), "int_parsing@query.page bool_parsing@query.refresh missing@query.id int_parsing@path.idx"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPageDoesNotOverflow(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 1, "1": 1, "7": 7, "0": 1, "-9223372036854775808": 1, "9223372036854775807": 1 << 30, "307445734561825861": 1 << 30,
	} {
		a := route.ArgsOf(httptest.NewRequest("GET", "/x?page="+text, nil))
		if got := a.Page(); got != want || a.Err() != nil {
			t.Errorf("%q: %d %v, want %d", text, got, a.Err(), want)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{`{"email":"a"}`, `{"email":1,"inner":{"deep":[]}}`, `[]`, `null`, `{"count":"9"}`, `{"count":1e99}`, `{"raw":{}}`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var v form
		err := route.Unmarshal(body, &v)
		if err == nil {
			if !json.Valid(body) {
				t.Fatalf("accepted %q", body)
			}
			return
		}
		var e *errdefs.Error
		if !errors.As(err, &e) || e.HTTPStatus() != 422 && e.HTTPStatus() != 400 {
			t.Fatalf("%q: %v", body, err)
		}
	})
}
